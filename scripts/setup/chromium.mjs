// A Chromium, for the tests of pages: whichever the machine has, else Debian's.

import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { Failure, run } from "./steps.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const MAC = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"];

/**
 * The path of a Chromium, if there is one.
 * @param {NodeJS.ProcessEnv} [env] `CHROMIUM_BIN` names one that is elsewhere
 * @returns {string | undefined}
 */
export function chromiumPath(env = process.env) {
  if (env.CHROMIUM_BIN) return runs(env.CHROMIUM_BIN) ? env.CHROMIUM_BIN : undefined;
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => isAbsolute(folder));
  const paths = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...paths, ...MAC].find(runs);
}

/** @type {import("./steps.mjs").Step} */
export const chromium = {
  what: "a Chromium for the tests of pages",
  takes: "1 minute",
  done: () => chromiumPath() !== undefined,
  run: async () => {
    const asRoot = process.platform === "linux" && process.getuid?.() === 0 && !process.env.CHROMIUM_BIN;
    // Whoever is not root is not asked for a password: they are told.
    if (!asRoot) throw new Failure(ADVICE);
    const options = { advice: "check that apt-get reaches its mirrors (apt-get update), or set CHROMIUM_BIN." };
    await run("apt-get", ["update", "-qq"], options);
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], options);
  },
};

/** What somebody is to do who has none. */
export const ADVICE =
  "The tests of pages need a Chromium, and there is none on the PATH.\n" +
  "What to do: sudo apt-get install chromium (on a Mac, install Chrome), or name the one that you have:\n" +
  "CHROMIUM_BIN=/path/to/chromium npm test";

/** @param {string} path */
function runs(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
