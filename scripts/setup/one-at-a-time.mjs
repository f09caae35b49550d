// Work that several processes of a clone may ask for at the same time, and that must not be done by two at once.

import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** So often whoever is at work touches the file that says so. */
const SIGN_OF_LIFE_MS = 1_000;
/** Whoever has not done so for this long has been killed. */
const DEAD_AFTER_MS = 10_000;
const LOOK_MS = 100;

/**
 * Does something when nobody else of those who name the same file is doing it.
 * @param {string} path a file that is there meanwhile
 * @param {() => Promise<void>} work
 * @param {() => void} [busy] told once, where somebody else is
 */
export async function oneAtATime(path, work, busy) {
  mkdirSync(dirname(path), { recursive: true });
  for (let first = true; !taken(path); first = false) {
    if (first) busy?.();
    await delay(LOOK_MS);
  }
  const leave = () => rmSync(path, { force: true });
  const alive = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), SIGN_OF_LIFE_MS);
  process.once("exit", leave);
  try {
    await work();
  } finally {
    clearInterval(alive);
    process.off("exit", leave);
    leave();
  }
}

/** @param {string} path */
function taken(path) {
  try {
    writeFileSync(path, "", { flag: "wx" });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
  }
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
  if (Date.now() - touched > DEAD_AFTER_MS) rmSync(path, { force: true });
  return false;
}
