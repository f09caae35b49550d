// A server in a process of its own, and the CPU time that it takes.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { LOOPBACK } from "../scripts/dev/ports.mjs";
import { environment } from "../scripts/setup/environment.mjs";
import { SIGNALS } from "../scripts/setup/steps.mjs";

/** Where the objects' storage goes: into memory, where there is such a place, so that the disk is not what is measured. */
export const STORAGE = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
/** The kernel counts CPU time in these. */
const TICKS_PER_SECOND = 100;
/** How long a server may take to answer for the first time. */
const PATIENCE_MS = 30_000;

/**
 * Lets nothing outlive this process, also where a signal ends it: what is to be cleaned up hangs on its exit.
 */
export function endWithUs() {
  for (const signal of SIGNALS) process.once(signal, () => process.exit(1));
}

/** @typedef {Awaited<ReturnType<typeof startProcess>>} Server */

/**
 * @typedef {object} Start
 * @property {string} command
 * @property {string[]} args
 * @property {number} port that it will listen at
 * @property {string} path that it answers once it is up
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [cwd]
 */

/** @param {Start} start */
export async function startProcess(start) {
  const server = spawnServer(start);
  const started = Date.now();
  while ((await fetch(`${server.url}${start.path}`).catch(() => undefined))?.status === undefined) {
    if (server.hasEnded()) throw new Error(`${start.command} has ended: ${server.complaints()}`);
    if (Date.now() - started > PATIENCE_MS) {
      await server.kill();
      throw new Error(`${start.command} does not answer: ${server.complaints()}`);
    }
    await delay(50);
  }
  return server;
}

/**
 * The same, without waiting for it.
 * @param {Start} start
 */
export function spawnServer({ command, args, port, env = environment(), cwd }) {
  const child = spawn(command, args, { env, cwd, stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data) => (errors = (errors + data).slice(-2000)));
  child.on("error", (error) => (errors += error.message));
  const gone = new Promise((resolve) => child.once("exit", resolve));
  // Nothing of a measurement outlives it.
  const end = () => child.kill("SIGKILL");
  // Before the folders that it writes to are removed.
  process.prependOnceListener("exit", end);
  gone.then(() => process.off("exit", end));
  return {
    port,
    url: `http://${LOOPBACK}:${port}`,
    pid: Number(child.pid),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined,
    complaints: () => errors,
    /** Ends it as a machine that dies would. */
    kill: async () => {
      end();
      if (child.pid !== undefined) await gone;
    },
  };
}

/**
 * The resident memory of a process, in MiB.
 * @param {number} pid
 */
export function residentMiB(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/**
 * The CPU time of a process and its children so far, user and system.
 * @param {number} pid
 * @returns {number}
 */
export function cpuSeconds(pid) {
  return (preciseSeconds(pid) ?? countedSeconds(pid)) + childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child), 0);
}

/**
 * As the scheduler has it, by the nanosecond; nothing where the kernel does not tell.
 * @param {number} pid
 */
function preciseSeconds(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const spent = threads.map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]));
    return spent.reduce((sum, ns) => sum + ns, 0) / 1e9;
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function countedSeconds(pid) {
  // The program's name, in parentheses, may hold blanks; user and system time are the 12th and 13th field after it.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** @param {number} pid */
function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
