// One `npm start` or `npm run demo` at a time in a clone: two would share the Job objects' storage and the file that describes them.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../setup/steps.mjs";
import { runs } from "./processes.mjs";

/** How long the janitor of one that was killed may be at work. */
const WAIT_MS = 10_000;

/** What claims a clone, by its script. */
const CLAIMANTS = { "start.mjs": "npm start", "demo.mjs": "npm run demo" };

/**
 * Claims the clone by a file that the janitor removes at the end.
 * @param {string} path
 * @param {number | undefined} janitor the process that removes it
 */
export async function claim(path, janitor) {
  for (;;) {
    try {
      writeFileSync(path, JSON.stringify({ pid: process.pid, janitor }), { flag: "wx", mode: 0o600 });
      return;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    }
    const other = read(path);
    const [, name] = Object.entries(CLAIMANTS).find(([script]) => other.pid !== process.pid && runs(other.pid, script)) ?? [];
    if (name !== undefined) {
      throw new Failure(`${name} already runs in this clone (process ${other.pid}).\nWhat to do: stop it by Ctrl-C where it runs.`);
    }
    for (const end = Date.now() + WAIT_MS; runs(other.janitor, "janitor.mjs") && Date.now() < end; ) await delay(50);
    rmSync(path, { force: true });
  }
}

/**
 * @param {string} path
 * @returns {{ pid?: number, janitor?: number }}
 */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}
