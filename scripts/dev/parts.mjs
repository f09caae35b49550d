// The processes of `npm start` and `npm run demo`: all of them run, or none.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ROOT } from "../setup/environment.mjs";
import { Failure } from "../setup/steps.mjs";

const JANITOR = fileURLToPath(new URL("janitor.mjs", import.meta.url));
/** How much a part may have said before it was ready, kept for the case that it never is. */
const TAIL_LINES = 40;
/** How long to wait for the rest of the output of a part that has ended. */
const LAST_WORDS_MS = 300;

/** A set of processes that end together, and files that go with them. */
export class Parts {
  /** Rejects with the reason when a part ends by itself. */
  ended;
  #fail = /** @type {(reason: Failure) => void} */ (() => {});
  #janitor = spawn(process.execPath, [JANITOR], { detached: true, stdio: ["pipe", "ignore", "inherit"] });
  #stop = new AbortController();

  constructor() {
    this.ended = new Promise((_, reject) => (this.#fail = reject));
    // Whoever waits for it hears of it; before that it must not count as an unhandled rejection.
    this.ended.catch(() => {});
    this.#janitor.stdin.on("error", () => {});
  }

  /** The process that cleans up. */
  get janitor() {
    return this.#janitor.pid;
  }

  /** Aborts when the parts are told to end. */
  get stopping() {
    return this.#stop.signal;
  }

  /**
   * Removes a file when the parts have ended.
   * @param {string} path
   */
  removeAtEnd(path) {
    this.#janitor.stdin.write(`file ${path}\n`);
  }

  /**
   * Starts a part.
   * @param {string} name
   * @param {string} command
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} env
   * @param {(line: string) => void} [heard] told each line of its output
   * @returns {{ pid: number | undefined, show: (which?: (line: string) => boolean) => void }} its process id; `show` passes its output on from now, or
   *   those lines of it
   */
  start(name, command, args, env, heard) {
    // A group of its own: the janitor reaches a part's children too, and the terminal's Ctrl-C reaches only us.
    const child = spawn(command, args, { cwd: ROOT, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    if (child.pid !== undefined) this.#janitor.stdin.write(`group ${child.pid}\n`);
    /** @type {string[]} */
    let tail = [];
    let shown = (/** @type {string} */ _) => false;
    let said = false;
    for (const [input, print] of /** @type {const} */ ([[child.stdout, console.log], [child.stderr, console.error]])) {
      createInterface({ input }).on("line", (line) => {
        heard?.(line);
        const fit = withoutSessions(line);
        if (shown(fit)) print(fit);
        tail = [...tail, fit].slice(-TAIL_LINES);
      });
    }
    /** @param {string} why */
    const failed = (why) => {
      if (this.stopping.aborted) return;
      const last = said ? "" : tail.map((line) => `\n  | ${line}`).join("");
      this.#fail(new Failure(`${name} ${why}, so everything is stopped.${last}`));
    };
    child.on("error", (error) => failed(`did not start (${error.message})`));
    child.on("exit", async (code, signal) => {
      // Its last words may still be on their way; a child of its own may keep the pipe open for ever.
      await Promise.race([once(child, "close"), delay(LAST_WORDS_MS)]);
      failed(`ended by itself (${code === null ? signal : `exit code ${code}`})`);
    });
    const show = (/** @type {((line: string) => boolean) | undefined} */ which) => {
      shown = which ?? (() => true);
      // Of a part that shows some lines only, the last ones are still to be told.
      said = which === undefined;
    };
    return { pid: child.pid, show };
  }

  /** Ends all parts, and returns when they are gone. */
  async stop() {
    this.#stop.abort();
    this.#janitor.stdin.end();
    if (this.#janitor.exitCode === null && this.#janitor.signalCode === null) await once(this.#janitor, "exit");
  }
}

/**
 * A line as it may stand in a terminal: Wrangler's errors quote URLs, with the session that somebody has put into a query.
 * @param {string} line
 */
function withoutSessions(line) {
  return line.replace(/\beyJ[\w-]+(\.[\w-]*){2,4}/g, "eyJ…");
}
