// `npm run bench:retries`: what it costs to recognise a retry, at a log of 10,000 posts. It prints the CPU time of a post of new fixes
// with `id`s against one without, and the time of the first post after a job has woken against the next one.
//
// Given a folder that Wrangler has bundled another build into, it measures that one: `node bench/retries.mjs FOLDER`.

import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import autocannon from "autocannon";
import { script } from "../scripts/setup/steps.mjs";
import { bundleInto } from "../scripts/testing/bundle.mjs";
import { endWithUs } from "./processes.mjs";
import { standIn } from "./stand-in.mjs";
import { cpuSeconds, driverSession, serve, STORAGE } from "./workerd.mjs";

const POSTS = 10_000;
const ROUNDS = 9;
const WAKES = 15;
const YEAR_MS = 365 * 86_400_000;
/** Jobs whose logs are filled, each by posts of another kind. */
const FILLED = ["busy", "named", "timed", "absurd"];
const WARM = Array.from({ length: 30 }, (_, index) => `warm-${index}`);
const headers = { authorization: driverSession([...FILLED, "short", ...WARM]), "content-type": "application/json" };

/** Every fix is later than the one before, and of now as long as they do not come faster than the time goes. */
let clock = 0;
let named = 0;
const fix = () => {
  clock = Math.max(clock + 1, Date.now() - 20_000);
  return { lat: 45.27 + (clock % 1000) / 1e5, lng: 13.71, speed: 12.5, heading: 90, accuracy: 5, capturedAt: clock };
};
const withId = () => ({ ...fix(), id: `fix-${(named += 1)}` });

await script(async () => {
  endWithUs();
  const dir = mkdtempSync(join(STORAGE, "towline-bench-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));
  const ably = await standIn();
  let workerd;
  try {
    const other = process.argv[2];
    if (other === undefined) await bundleInto(join(dir, "worker"));
    else cpSync(other, join(dir, "worker"), { recursive: true });
    workerd = await serve(dir, ably.port);
    await post(workerd.url, "absurd", { ...fix(), capturedAt: Date.now() + 8 * YEAR_MS });
    for (const job of FILLED) await posts(workerd.url, job, job === "timed" || job === "absurd" ? fix : withId, { amount: POSTS });

    console.log(`\nThe first post after waking, less the next one (medians of ${WAKES}):`);
    for (const [job, kind, make] of /** @type {const} */ ([
      ["short", "without one, in a short log", fix],
      ["short", "with an id, in a short log", withId],
      ["named", "with an id, in a log with ids", withId],
      ["absurd", "without one, after a fix from in 8 years", fix],
      ["timed", "without one", fix],
    ])) {
      const more = [];
      for (let wake = 0; wake < WAKES; wake += 1) {
        await workerd.kill();
        drain(dir);
        workerd = await serve(dir, ably.port);
        // What the isolate does only once, or slowly the first times, is no part of it.
        for (const warm of WARM) for (let n = 0; n < 5; n += 1) await post(workerd.url, warm, withId());
        const first = await post(workerd.url, job, make());
        const next = [];
        for (let n = 0; n < 5; n += 1) next.push(await post(workerd.url, job, make()));
        more.push(first - median(next));
      }
      console.log(`  ${kind.padEnd(42)} ${median(more).toFixed(1)} ms`);
    }

    console.log(`\nA job of ${POSTS} posts, CPU a post of new fixes (medians of ${ROUNDS} rounds, with ids / without):`);
    for (const [what, size] of /** @type {const} */ ([["one fix", 1], ["100 fixes", 100]])) {
      const cost = { withId: [], fix: [] };
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const [kind, make] of /** @type {const} */ ([["withId", withId], ["fix", fix]])) {
          const body = () => (size === 1 ? make() : { locations: Array.from({ length: size }, make) });
          const before = cpuSeconds(workerd.pid);
          const done = await posts(workerd.url, "busy", body, { duration: 2 });
          /** @type {number[]} */ (cost[kind]).push(((cpuSeconds(workerd.pid) - before) / done) * 1e6);
        }
      }
      const [a, b] = [median(cost.withId), median(cost.fix)];
      console.log(`  ${what.padEnd(10)} ${a.toFixed(0)} / ${b.toFixed(0)} µs = ${(a / b).toFixed(2)}`);
    }
  } finally {
    workerd?.kill();
    ably.close();
  }
});

/**
 * Leaves every job's storage as it is when Ably has taken all of it, so that waking is not followed by sending.
 * @param {string} dir
 */
function drain(dir) {
  const objects = join(dir, "bench");
  for (const name of readdirSync(objects).filter((name) => name.endsWith(".sqlite"))) {
    const storage = new DatabaseSync(join(objects, name));
    const columns = storage.prepare("SELECT name FROM pragma_table_info('log')").all().map(({ name }) => name);
    const place = ["n", "seq"].find((name) => columns.includes(name));
    if (place !== undefined) storage.exec(`UPDATE meta SET sent = (SELECT max(${place}) FROM log), infl = NULL`);
    storage.close();
  }
}

/**
 * Posts once, and tells how long it took in ms.
 * @param {string} url
 * @param {string} job
 * @param {object} body
 */
async function post(url, job, body) {
  const start = performance.now();
  const answer = await fetch(`${url}/api/jobs/${job}/location`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok || /rejected|duplicate/.test(text)) throw new Error(text);
  return performance.now() - start;
}

/**
 * Posts at load, and tells how many.
 * @param {string} url
 * @param {string} job
 * @param {() => object} body
 * @param {{ amount: number } | { duration: number }} until
 */
async function posts(url, job, body, until) {
  const setupRequest = (/** @type {autocannon.Request} */ request) => ({ ...request, body: JSON.stringify(body()) });
  const requests = [{ method: /** @type {const} */ ("POST"), path: `/api/jobs/${job}/location`, headers, setupRequest }];
  const result = await autocannon({ url, connections: 8, requests, ...until });
  if (result.non2xx + result.errors > 0) throw new Error(`${result.non2xx} answers are no 2xx, ${result.errors} errors`);
  return result["2xx"];
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
