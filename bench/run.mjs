// `npm run bench`: the two hot routes against a Worker that only says hello, all in one workerd, with a stand-in for Ably
// that takes every message. It prints requests per second, and the CPU time that workerd spends on a request: that is what
// is paid for. Compare the ratios, which hold from one machine to another better than the figures do.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import autocannon from "autocannon";
import { freePort, LOOPBACK } from "../scripts/dev/ports.mjs";
import { sign } from "../scripts/dev/session.mjs";
import { environment, NPM_BIN, ROOT } from "../scripts/setup/environment.mjs";
import { script } from "../scripts/setup/steps.mjs";
import { bundleInto } from "../scripts/testing/bundle.mjs";
import { config } from "./config.mjs";
import { standIn } from "./stand-in.mjs";

const SECONDS = Number(process.env.BENCH_SECONDS ?? 8);
const ROUNDS = 3;
const CONNECTIONS = 32;
const SESSION_SECRET = "bench-bench-bench-bench-bench-bench-";
const JOBS = Array.from({ length: 50 }, (_, index) => `bench-${index}`);
/** Where the objects' storage goes: into memory, where there is such a place, so that the disk is not what is measured. */
const STORAGE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
/** The kernel counts CPU time in these. */
const TICKS_PER_SECOND = 100;

/** @typedef {Record<string, { rate: number[], cpu: number[] }>} Results */

await script(async () => {
  const dir = mkdtempSync(join(STORAGE, "towline-bench-"));
  const ably = await standIn();
  let workerd;
  try {
    await bundleInto(join(dir, "worker"));
    const towline = await freePort(18787, LOOPBACK);
    const hello = await freePort(18887, LOOPBACK);
    writeFileSync(join(dir, "hello.js"), readFileSync(join(ROOT, "bench", "hello.js")));
    const settings = {
      ABLY_API_KEY: "bench0.key:secret",
      ABLY_REST_URL: `http://${LOOPBACK}:${ably.port}`,
      SESSION_SECRET,
    };
    writeFileSync(join(dir, "config.capnp"), config(dir, { towline, hello }, settings));
    workerd = spawn(join(NPM_BIN, "workerd"), ["serve", join(dir, "config.capnp")], {
      env: environment(),
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    workerd.stderr.on("data", (data) => (errors = (errors + data).slice(-2000)));
    await answering(`http://${LOOPBACK}:${towline}/healthz`, workerd, () => errors);
    print(await measure(cases({ towline, hello }), Number(workerd.pid), () => errors));
  } finally {
    workerd?.kill("SIGKILL");
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
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const session = (/** @type {string[]} */ jobs) =>
    `Bearer ${sign({ sub: "driver-1", role: "driver", jobs, exp }, SESSION_SECRET)}`;
  let clock = Date.now() - 3_600_000;
  // Each fix is a millisecond later than the one before, as from a phone that is never wrong.
  const fixes = (/** @type {string[]} */ jobs) => ({
    url: service,
    requests: [
      {
        method: /** @type {const} */ ("POST"),
        headers: { authorization: session(jobs), "content-type": "application/json" },
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
    "token (JWT)": { url: `${service}/api/ably-token`, headers: { authorization: session(JOBS.slice(0, 1)) } },
    "one fix, 50 jobs": fixes(JOBS),
    "one fix, 1 job": fixes(JOBS.slice(0, 1)),
  };
}

/**
 * Measures round by round, so that whatever else the machine does meets all cases.
 * @param {Record<string, autocannon.Options>} all
 * @param {number} pid workerd's
 * @param {() => string} why what workerd complains about
 */
async function measure(all, pid, why) {
  /** @type {Results} */
  const results = Object.fromEntries(Object.keys(all).map((name) => [name, { rate: [], cpu: [] }]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, options] of Object.entries(all)) {
      const before = cpuSeconds(pid);
      const result = await autocannon({ connections: CONNECTIONS, duration: SECONDS, ...options });
      if (result.non2xx + result.errors > 0) {
        throw new Error(`${name}: ${result.non2xx} answers are no 2xx, ${result.errors} errors. ${why()}`);
      }
      results[name]?.rate.push(result["2xx"] / result.duration);
      results[name]?.cpu.push(((cpuSeconds(pid) - before) / result["2xx"]) * 1e6);
    }
  }
  return results;
}

/**
 * @param {string} url
 * @param {import("node:child_process").ChildProcess} workerd
 * @param {() => string} why
 */
async function answering(url, workerd, why) {
  while (workerd.exitCode === null) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`workerd has ended: ${why()}`);
}

/**
 * The CPU time of a process so far, user and system.
 * @param {number} pid
 */
function cpuSeconds(pid) {
  // The program's name, in parentheses, may hold blanks; user and system time are the 12th and 13th field after it.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
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
