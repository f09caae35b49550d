// A workerd of its own for a measurement: the built Worker, with its objects' storage in a folder that outlives it.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, LOOPBACK } from "../scripts/dev/ports.mjs";
import { sign } from "../scripts/dev/session.mjs";
import { NPM_BIN } from "../scripts/setup/environment.mjs";
import { config, UNLIMITED } from "./config.mjs";
import { startProcess } from "./processes.mjs";

export { cpuSeconds, STORAGE } from "./processes.mjs";

export const SESSION_SECRET = "bench-bench-bench-bench-bench-bench-";
export const ABLY_API_KEY = "bench0.key:secret";

/** @typedef {Awaited<ReturnType<typeof serve>>} Workerd */

/**
 * Starts the Worker that is bundled in `worker/`, and waits until it answers.
 * @param {string} dir
 * @param {number} ablyPort
 */
export async function serve(dir, ablyPort) {
  const port = await freePort(18787, LOOPBACK);
  writeFileSync(join(dir, "config.capnp"), config(dir, { towline: port }, settings(ablyPort)));
  return startProcess({ command: join(NPM_BIN, "workerd"), args: ["serve", join(dir, "config.capnp")], port, path: "/healthz" });
}

/**
 * What a side is configured with.
 * @param {number} ablyPort
 */
export function settings(ablyPort) {
  // The token that is measured is the one for which no object is asked.
  return { ABLY_API_KEY, ABLY_REST_URL: `http://${LOOPBACK}:${ablyPort}`, SESSION_SECRET, JOB_REGISTRY: "off", ...UNLIMITED };
}

/**
 * A session for these jobs, as a header.
 * @param {string[]} jobs
 * @param {string} [sub]
 * @param {string} [role]
 */
export function driverSession(jobs, sub = "driver-1", role = "driver") {
  const exp = Math.floor(Date.now() / 1000) + 12 * 3600;
  return `Bearer ${sign({ sub, role, jobs, exp }, SESSION_SECRET)}`;
}
