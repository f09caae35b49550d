// `npm run bench:streams`: 200 who watch one job by server-sent events, beside 200 `ably` subscribers and beside nobody, while its driver
// posts five fixes a second. It prints how long a fix takes from its post to whoever watches, and what that takes of CPU and memory.
//
// Given a folder that Wrangler has bundled a build into, it measures that one: `node bench/streams.mjs FOLDER`.

import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Realtime } from "ably";
import { ablyAddress } from "../scripts/dev/facts.mjs";
import { Failure, log, script } from "../scripts/setup/steps.mjs";
import { setStage } from "./fleet/stage.mjs";
import { cpuSeconds, endWithUs, residentMiB } from "./processes.mjs";
import { quantile } from "./statistics.mjs";
import { driverSession } from "./workerd.mjs";

const WATCHERS = 200;
const FIXES_PER_SECOND = 5;
const FIXES = 150;
/** Of all kinds in turn, so that none has the machine at its best. */
const ROUNDS = 2;
/** Whoever has not heard by then does not. */
const PATIENCE_MS = 30_000;

/** @typedef {Awaited<ReturnType<typeof setStage>>} Stage */
/** Opens a watcher, who calls `heard` with each seq. Resolves once it watches, to what ends that. @typedef {(stage: Stage, job: string, user: string, heard: (seq: number) => void) => Promise<() => void>} Open */

/** @type {Record<string, Open | undefined>} */
const KINDS = { nobody: undefined, "a stream each": openStream, "an `ably` client each": openClient };

await script(async () => {
  endWithUs();
  const stage = await setStage({ towline: process.argv[2], mode: "direct", limits: "standard" });
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const [name, open] of Object.entries(KINDS)) log(told(name, await watch(stage, `streams-${round}-${Object.keys(KINDS).indexOf(name)}`, open)));
    }
  } finally {
    await stage.workerd.kill();
    await stage.ably.kill();
  }
});
process.exit();

/**
 * @param {Stage} stage
 * @param {string} job
 * @param {Open | undefined} open
 */
async function watch(stage, job, open) {
  const driver = driverSession([job]);
  const post = async () => {
    const options = { method: "POST", headers: { authorization: driver }, body: '{"lat":48.2,"lng":16.4}' };
    const response = await fetch(`${stage.workerd.url}/api/jobs/${job}/location`, options);
    if (response.status !== 200) throw new Failure(`A post is answered ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
  };
  await post();
  /** When the post of each seq has left. @type {Map<number, number>} */
  const left = new Map();
  /** @type {number[]} */
  const times = [];
  const heard = (/** @type {number} */ seq) => {
    const since = left.get(seq);
    if (since !== undefined) times.push(performance.now() - since);
  };
  const idle = residentMiB(stage.workerd.pid);
  /** @type {(() => void)[]} */
  const ends = [];
  // Not all at once: that would measure how they come, not how they watch.
  for (let count = 0; open && count < WATCHERS; count += 1) ends.push(await open(stage, job, `watcher-${count}`, heard));
  const spent = () => ({ workerd: cpuSeconds(stage.workerd.pid), ably: cpuSeconds(stage.ably.pid), here: cpuSeconds(process.pid) });
  const [before, began] = [spent(), performance.now()];
  for (let count = 0; count < FIXES; count += 1) {
    await delay(Math.max(0, began + (count * 1_000) / FIXES_PER_SECOND - performance.now()));
    left.set(count + 2, performance.now());
    await post();
  }
  const wanted = open ? WATCHERS * FIXES : 0;
  while (times.length < wanted) {
    if (performance.now() - began > PATIENCE_MS + (FIXES * 1_000) / FIXES_PER_SECOND) throw new Failure(`${times.length} of ${wanted} fixes were heard.`);
    await delay(10);
  }
  const [after, seconds] = [spent(), (performance.now() - began) / 1_000];
  const busy = residentMiB(stage.workerd.pid);
  ends.forEach((end) => end());
  const share = (/** @type {"workerd" | "ably" | "here"} */ who) => (100 * (after[who] - before[who])) / seconds;
  return { times: times.sort((a, b) => a - b), workerd: share("workerd"), ably: share("ably"), here: share("here"), more: busy - idle };
}

/**
 * @param {string} name
 * @param {Awaited<ReturnType<typeof watch>>} measured
 */
function told(name, { times, workerd, ably, here, more }) {
  const [p50, p99] = [0.5, 0.99].map((part) => quantile(times, part).toFixed(1).padStart(7));
  const late = times.length === 0 ? " ".repeat(28) : `p50 ${p50} ms  p99 ${p99} ms`;
  const [service, local, clients] = [workerd, ably, here].map((share) => `${share.toFixed(1).padStart(5)} %`);
  return `${name.padEnd(24)} ${late}   CPU: workerd ${service}  local Ably ${local}  clients ${clients}   workerd ${more >= 0 ? "+" : ""}${more.toFixed(1)} MiB`;
}

/** @type {Open} */
async function openStream({ workerd }, job, user, heard) {
  const headers = { authorization: driverSession([job], user, "customer") };
  return new Promise((resolve, reject) => {
    const request = get(`${workerd.url}/api/jobs/${job}/stream`, { headers, agent: false }, (response) => {
      if (response.statusCode !== 200) reject(new Failure(`A stream is answered ${response.statusCode}.`));
      let text = "";
      let isOpen = false;
      response.setEncoding("utf8").on("data", (part) => {
        text += part;
        const end = text.lastIndexOf("\n\n");
        if (end < 0) return;
        for (const event of text.slice(0, end).split("\n\n")) {
          const name = /^event: ?(.*)$/m.exec(event)?.[1];
          if (name === "location.updated") heard(Number(/^id: ?\d+\.(\d+)/m.exec(event)?.[1]));
          if (name === "state" && !isOpen) {
            isOpen = true;
            resolve(() => void request.destroy());
          }
        }
        text = text.slice(end + 2);
      });
      response.on("error", () => {});
    });
    request.on("error", reject);
  });
}

/** @type {Open} */
async function openClient({ workerd, ably }, job, user, heard) {
  const authHeaders = { authorization: driverSession([job], user, "customer") };
  const client = new Realtime({ ...ablyAddress(ably.url), authUrl: `${workerd.url}/api/ably-token`, authHeaders, logLevel: 0 });
  const channel = client.channels.get(`dispatch:job:${job}`);
  await channel.subscribe("location.updated", ({ data }) => heard(data.seq));
  return () => client.close();
}
