// A workerd of its own for a measurement: the built Worker, with its objects' storage in a folder that outlives it.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, LOOPBACK } from "../scripts/dev/ports.mjs";
import { sign } from "../scripts/dev/session.mjs";
import { environment, NPM_BIN, ROOT } from "../scripts/setup/environment.mjs";
import { config, UNLIMITED } from "./config.mjs";

const SESSION_SECRET = "bench-bench-bench-bench-bench-bench-";
/** Where the objects' storage goes: into memory, where there is such a place, so that the disk is not what is measured. */
export const STORAGE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
/** The kernel counts CPU time in these. */
const TICKS_PER_SECOND = 100;

/** @typedef {Awaited<ReturnType<typeof serve>>} Workerd */

/**
 * Starts the Worker that is bundled in `worker/`, and waits until it answers.
 * @param {string} dir
 * @param {number} ablyPort
 */
export async function serve(dir, ablyPort) {
  const ports = { towline: await freePort(18787, LOOPBACK), hello: await freePort(18887, LOOPBACK) };
  writeFileSync(join(dir, "hello.js"), readFileSync(join(ROOT, "bench", "hello.js")));
  const settings = { ABLY_API_KEY: "bench0.key:secret", ABLY_REST_URL: `http://${LOOPBACK}:${ablyPort}`, SESSION_SECRET, ...UNLIMITED };
  writeFileSync(join(dir, "config.capnp"), config(dir, ports, settings));
  const child = spawn(join(NPM_BIN, "workerd"), ["serve", join(dir, "config.capnp")], {
    env: environment(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (data) => (errors = (errors + data).slice(-2000)));
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const url = `http://${LOOPBACK}:${ports.towline}`;
  while (!(await fetch(`${url}/healthz`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error(`workerd has ended: ${errors}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    ports,
    url,
    pid: Number(child.pid),
    complaints: () => errors,
    /** Ends it as a machine that dies would. */
    kill: () => (child.kill("SIGKILL"), gone),
  };
}

/**
 * A driver's session for these jobs, as a header.
 * @param {string[]} jobs
 */
export function driverSession(jobs) {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  return `Bearer ${sign({ sub: "driver-1", role: "driver", jobs, exp }, SESSION_SECRET)}`;
}

/**
 * The CPU time of a process so far, user and system.
 * @param {number} pid
 */
export function cpuSeconds(pid) {
  // The program's name, in parentheses, may hold blanks; user and system time are the 12th and 13th field after it.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
