// Starts a load of client.mjs, in a process of its own, so that the harness is not what is measured.

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** @import { Done, Task } from "./client.mjs" */

/**
 * @param {Task} task
 * @returns {Promise<Done>}
 */
export function perform(task) {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL("client.mjs", import.meta.url)));
    child.once("message", (/** @type {{ done?: Done, failed?: string }} */ { done, failed }) => {
      if (done === undefined) reject(new Error(failed));
      else if (done.refused > 0) reject(new Error(`of ${done.requests} requests ${done.refused} were refused`));
      else resolve(done);
    });
    child.once("exit", (code) => reject(new Error(`the load ended with ${code}`)));
    child.once("error", reject);
    child.send(task);
  });
}
