// Waiting until what was started is there.

import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../setup/steps.mjs";

/**
 * Waits until a URL answers 200.
 * @param {string} url
 * @param {string} who
 * @param {AbortSignal} stopping
 * @param {number} ms how long that may take
 */
export async function answers(url, who, stopping, ms) {
  for (const end = Date.now() + ms; Date.now() < end && !stopping.aborted; ) {
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(5_000)]);
    const status = await fetch(url, { signal }).then((response) => response.status, () => undefined);
    if (status === 200) return;
    await delay(200, undefined, { signal: stopping });
  }
  throw new Failure(`${who} did not answer within ${ms / 1000} s at ${url}.`);
}
