// The processes of the fleet: drivers and subscribers, told what to do, and asked.

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** @import { Posted } from "./drivers.mjs" */
/** @import { Received } from "./subscribers.mjs" */

/** @typedef {{ ready?: number, posted?: Posted, received?: Received, failed?: string }} Told what comes from them */
/** @typedef {ReturnType<typeof startCrew>} Crew */

/**
 * @param {"drivers" | "subscribers"} name
 * @param {(told: Told) => void} heard
 * @param {(reason: Error) => void} failed
 */
export function startCrew(name, heard, failed) {
  const child = fork(fileURLToPath(new URL(`${name}.mjs`, import.meta.url)));
  let isDismissed = false;
  child.on("message", (/** @type {Told} */ told) => {
    if (told.failed !== undefined) failed(new Error(`the ${name}: ${told.failed}`));
    else heard(told);
  });
  child.once("error", failed);
  child.once("exit", (code) => isDismissed || failed(new Error(`the ${name} have ended, with ${code}`)));
  return {
    pid: Number(child.pid),
    /** @param {string} what @param {unknown} [argument] */
    tell: (what, argument) => void (child.connected && child.send({ what, argument })),
    dismiss: () => {
      isDismissed = true;
      child.kill();
    },
  };
}
