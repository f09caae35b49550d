// Steps that are skipped when done, say what they do and how long it takes, and fail with what to do about it.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { environment, ROOT } from "./environment.mjs";

/** How often a step that is still at work says so. */
const HEARTBEAT_MS = 10_000;
/** How much of a failed command's output is shown. */
const TAIL_LINES = 60;

/** By these a person or a supervisor ends us. */
export const SIGNALS = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);

/**
 * @typedef {object} Step
 * @property {string} what what it provides
 * @property {string} takes about how long it takes on a laptop
 * @property {() => boolean} done whether there is nothing to do, by looking at the thing itself
 * @property {() => Promise<void>} run does it
 */

/** A failure that the person can act upon: its message is all that is shown. */
export class Failure extends Error {}

/**
 * Does those steps that are not done yet, in order.
 * @param {Step[]} steps
 * @param {(line: string) => void} say
 */
export async function perform(steps, say = log) {
  for (const step of steps) {
    if (step.done()) continue;
    const started = Date.now();
    say(`[set-up] ${step.what} (about ${step.takes})`);
    await step.run();
    // A step that "succeeds" without its effect would run again at every start, or fail far from its cause.
    if (!step.done()) throw new Failure(`${step.what}: every command succeeded, and yet it is not there`);
    say(`[set-up] ${step.what}: done in ${seconds(started)}`);
  }
}

/**
 * Runs a command, quietly but for a sign of life, and fails with its last lines and with advice.
 * @param {string} command
 * @param {string[]} args
 * @param {{ advice: string, env?: NodeJS.ProcessEnv, cwd?: string, say?: (line: string) => void }} options
 */
export async function run(command, args, { advice, env = environment(), cwd = ROOT, say = log }) {
  const shown = [command, ...args].join(" ");
  const started = Date.now();
  /** @type {string[]} */
  let lines = [];
  const { code, error } = await new Promise((resolve) => {
    const child = spawn(command, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    const heartbeat = setInterval(() => say(`  ${seconds(started)}: ${lines.at(-1) ?? shown}`), HEARTBEAT_MS);
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input }).on("line", (line) => {
        if (line.trim() !== "") lines = [...lines, line].slice(-TAIL_LINES);
      });
    }
    // A signal may have been sent to us alone: what we run ends with us.
    const interrupted = (/** @type {NodeJS.Signals} */ signal) => {
      child.kill(signal);
      process.exit(1);
    };
    for (const signal of SIGNALS) process.once(signal, interrupted);
    /** @param {{ code?: number | string | null, error?: Error }} end */
    const finish = (end) => {
      clearInterval(heartbeat);
      for (const signal of SIGNALS) process.off(signal, interrupted);
      resolve(end);
    };
    child.on("error", (error) => finish({ error }));
    child.on("close", (code, signal) => finish({ code: code ?? signal }));
  });
  if (code === 0) return;
  const tail = lines.map((line) => `  | ${line}`).join("\n");
  const why = error === undefined ? `ended with ${code}` : error.message;
  throw new Failure(`This command failed (${why}):\n  ${shown}\n${tail}${tail && "\n"}What to do: ${advice}`);
}

/**
 * Runs a script's main function; a failure is printed and becomes the exit code.
 * @param {() => Promise<number | void>} main
 */
export async function script(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    process.exitCode = 1;
    console.error(error instanceof Failure ? `\n${error.message}` : error);
  }
}

/** @param {string} line */
export function log(line) {
  console.log(line);
}

/** @param {number} since epoch milliseconds */
function seconds(since) {
  return `${Math.round((Date.now() - since) / 1000)} s`;
}
