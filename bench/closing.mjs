// `npm run bench:closing`: how long access outlasts the end of a job, from the moment at which somebody asks for its close: for three kinds
// of token, each held by a real `ably` client; for reads; for a new token; and for a driver's posts. A hundred jobs are closed, one after the
// other. Whoever has another job is connected again: that is timed too.
//
// Given a folder that Wrangler has bundled a build into, it measures that one: `node bench/closing.mjs FOLDER`.

import { setTimeout as delay } from "node:timers/promises";
import { Realtime } from "ably";
import { ablyAddress } from "../scripts/dev/facts.mjs";
import { Failure, log, script } from "../scripts/setup/steps.mjs";
import { setStage } from "./fleet/stage.mjs";
import { endWithUs } from "./processes.mjs";
import { quantile } from "./statistics.mjs";
import { driverSession } from "./workerd.mjs";

const CLOSES = 100;
/** Whoever is not cut off by then never is. */
const PATIENCE_MS = 15_000;
const platform = driverSession([], "platform", "service");
const channelOf = (/** @type {string} */ job) => `dispatch:job:${job}`;

/** @type {Record<string, number[]>} */
const times = {};
const note = (/** @type {string} */ what, /** @type {number} */ ms) => void (times[what] ??= []).push(ms);

await script(async () => {
  endWithUs();
  const { ably, workerd } = await setStage({ towline: process.argv[2], mode: "direct", limits: "standard" });
  try {
    const address = ablyAddress(ably.url);
    for (let count = 0; count < CLOSES; count += 1) {
      await closeOne(workerd.url, address, count);
      if ((count + 1) % 10 === 0) log(`${count + 1} of ${CLOSES} jobs are closed`);
    }
  } finally {
    await workerd.kill();
    await ably.kill();
  }
  log(`\nFrom the close to the end of access, in ms, over ${CLOSES} closes:`);
  for (const [what, all] of Object.entries(times)) {
    const sorted = all.sort((a, b) => a - b);
    const [p50, p99, max] = [0.5, 0.99, 1].map((share) => Math.round(quantile(sorted, share)));
    log(`  ${what.padEnd(40)} p50 ${p50}   p99 ${p99}   max ${max}`);
  }
});
process.exit();

/**
 * @param {string} url
 * @param {ReturnType<typeof ablyAddress>} address
 * @param {number} count
 */
async function closeOne(url, address, count) {
  const [job, other, driver] = [`closing-${count}`, `other-${count}`, `driver-${count}`];
  const [one, two, three] = [`one-${count}`, `two-${count}`, `three-${count}`];
  await ask(url, "PUT", `/api/jobs/${job}`, platform, { driver, customers: [one, two, three] });
  await ask(url, "PUT", `/api/jobs/${other}`, platform, { driver: null, customers: [two] });
  const authorization = driverSession([job], one, "customer");
  const posting = driverSession([job], driver);
  await ask(url, "POST", `/api/jobs/${job}/location`, posting, { lat: 1, lng: 2 });
  const connect = async (/** @type {string} */ session, authParams = {}) => {
    const authUrl = `${url}/api/ably-token`;
    const client = new Realtime({ ...address, authUrl, authHeaders: { authorization: session }, authParams, logLevel: 0 });
    await client.channels.get(channelOf(job)).attach();
    return client;
  };
  const clients = await Promise.all([
    connect(authorization),
    connect(driverSession([job, other], two, "customer")),
    connect(driverSession([job], three, "customer"), { format: "token-request" }),
  ]);
  const elsewhere = clients[1]?.channels.get(channelOf(other));
  await elsewhere?.attach();

  const since = performance.now();
  const isCut = (/** @type {Realtime | undefined} */ client) =>
    client?.channels.get(channelOf(job)).state !== "attached" || client?.connection.state !== "connected";
  const kinds = ["a JWT for the job", "a JWT for two jobs", "a token from a TokenRequest"];
  const until = async (/** @type {string} */ what, /** @type {() => boolean | Promise<boolean>} */ isSo) => {
    while (!(await isSo())) {
      if (performance.now() - since > PATIENCE_MS) throw new Failure(`${what}: not after ${PATIENCE_MS} ms`);
      await delay(1);
    }
    note(what, performance.now() - since);
  };
  const refused = (/** @type {string} */ path) => async () => (await fetch(`${url}${path}`, { headers: { authorization } })).status === 403;
  const watched = [
    ...clients.map((client, index) => until(`${kinds[index]}: its client`, () => isCut(client))),
    until("the first state", refused(`/api/jobs/${job}/location`)),
    until("the trail", refused(`/api/jobs/${job}/locations`)),
    until("a new token", refused(`/api/ably-token?jobId=${job}`)),
    until("a driver's posts", async () => {
      const { results } = await ask(url, "POST", `/api/jobs/${job}/location`, posting, { lat: 1, lng: 2 });
      return results[0].reason === "job_closed";
    }),
  ];
  await ask(url, "POST", `/api/jobs/${job}/close`, platform, { reason: "done" });
  note("(the answer to the close)", performance.now() - since);
  await Promise.all(watched);
  await until("the other job's channel is back", () => clients[1]?.connection.state === "connected" && elsewhere?.state === "attached");
  clients.forEach((client) => client.close());
}

/**
 * @param {string} url
 * @param {string} method
 * @param {string} path
 * @param {string} authorization
 * @param {object} body
 * @returns {Promise<any>}
 */
async function ask(url, method, path, authorization, body) {
  const response = await fetch(`${url}${path}`, { method, headers: { authorization }, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Failure(`${method} ${path} is answered ${response.status}: ${text}`);
  return JSON.parse(text);
}
