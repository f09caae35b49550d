// `npm run bench`: the two hot routes against a Worker that only says hello, all in one workerd, with a stand-in for Ably
// that takes every message. It prints requests per second, and the CPU time that workerd spends on a request: that is what
// is paid for. Compare the ratios, which hold from one machine to another better than the figures do.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import autocannon from "autocannon";
import { LOOPBACK } from "../scripts/dev/ports.mjs";
import { script } from "../scripts/setup/steps.mjs";
import { bundleInto } from "../scripts/testing/bundle.mjs";
import { standIn } from "./stand-in.mjs";
import { cpuSeconds, driverSession, serve, STORAGE } from "./workerd.mjs";

const SECONDS = Number(process.env.BENCH_SECONDS ?? 8);
const ROUNDS = 3;
const CONNECTIONS = 32;
const JOBS = Array.from({ length: 50 }, (_, index) => `bench-${index}`);
/** @typedef {Record<string, { rate: number[], cpu: number[] }>} Results */

await script(async () => {
  const dir = mkdtempSync(join(STORAGE, "towline-bench-"));
  const ably = await standIn();
  /** @type {import("./workerd.mjs").Workerd | undefined} */
  let workerd;
  try {
    await bundleInto(join(dir, "worker"));
    workerd = await serve(dir, ably.port);
    print(await measure(cases(workerd.ports), workerd));
  } finally {
    workerd?.kill();
    ably.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

/**
 * What is measured, by name.
 * @param {{ towline: number, hello: number }} ports
 * @returns {Record<string, autocannon.Options>}
 */
function cases(ports) {
  const service = `http://${LOOPBACK}:${ports.towline}`;
  let clock = Date.now() - 3_600_000;
  // Each fix is a millisecond later than the one before, as from a phone that is never wrong.
  const fixes = (/** @type {string[]} */ jobs) => ({
    url: service,
    requests: [
      {
        method: /** @type {const} */ ("POST"),
        headers: { authorization: driverSession(jobs), "content-type": "application/json" },
        setupRequest: (/** @type {autocannon.Request} */ request) => {
          const capturedAt = (clock += 1);
          const fix = { lat: 45.27 + (clock % 1000) / 1e5, lng: 13.71, speed: 12.5, heading: 90, accuracy: 5, capturedAt };
          return { ...request, path: `/api/jobs/${jobs[clock % jobs.length]}/location`, body: JSON.stringify(fix) };
        },
      },
    ],
  });
  return {
    hello: { url: `http://${LOOPBACK}:${ports.hello}/` },
    "token (JWT)": { url: `${service}/api/ably-token`, headers: { authorization: driverSession(JOBS.slice(0, 1)) } },
    "one fix, 50 jobs": fixes(JOBS),
    "one fix, 1 job": fixes(JOBS.slice(0, 1)),
  };
}

/**
 * Measures round by round, so that whatever else the machine does meets all cases.
 * @param {Record<string, autocannon.Options>} all
 * @param {import("./workerd.mjs").Workerd} workerd
 */
async function measure(all, workerd) {
  /** @type {Results} */
  const results = Object.fromEntries(Object.keys(all).map((name) => [name, { rate: [], cpu: [] }]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, options] of Object.entries(all)) {
      const before = cpuSeconds(workerd.pid);
      const result = await autocannon({ connections: CONNECTIONS, duration: SECONDS, ...options });
      if (result.non2xx + result.errors > 0) {
        throw new Error(`${name}: ${result.non2xx} answers are no 2xx, ${result.errors} errors. ${workerd.complaints()}`);
      }
      results[name]?.rate.push(result["2xx"] / result.duration);
      results[name]?.cpu.push(((cpuSeconds(workerd.pid) - before) / result["2xx"]) * 1e6);
    }
  }
  return results;
}

/** @param {Results} results */
function print(results) {
  const median = (/** @type {number[]} */ values = []) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
  const peer = { rate: median(results.hello?.rate), cpu: median(results.hello?.cpu) };
  const row = (/** @type {string[]} */ [name = "", ...cells]) => name.padEnd(18) + cells.map((cell) => cell.padStart(12)).join("");
  console.log(`\nMedians of ${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections:`);
  console.log(row(["", "requests/s", "× hello", "CPU µs", "× hello"]));
  for (const [name, { rate, cpu }] of Object.entries(results)) {
    const [r, c] = [median(rate), median(cpu)];
    console.log(row([name, r.toFixed(0), (r / peer.rate).toFixed(2), c.toFixed(0), (c / peer.cpu).toFixed(2)]));
  }
}
