// What ends a script that runs until it is told to stop.

import { SIGNALS } from "../setup/steps.mjs";
import { runs } from "./processes.mjs";

/**
 * Waits for what ends us in an orderly way: a signal, or the end of the npm that runs us.
 * @param {number | undefined} npm its process id
 * @returns {Promise<string>} what it was
 */
export function stopRequest(npm) {
  return new Promise((resolve) => {
    // They stay handled: npm passes Ctrl-C on, so that it comes twice.
    for (const signal of SIGNALS) process.on(signal, () => resolve(signal));
    if (npm !== undefined) setInterval(() => runs(npm, "npm") || resolve("npm has ended"), 1_000).unref();
    // A terminal that is gone takes no more output, which is no failure of ours.
    process.stdout.on("error", () => resolve("nobody reads the output"));
  });
}
