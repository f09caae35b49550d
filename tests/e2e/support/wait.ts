// Waiting for things that happen by themselves. No wait is for a length of time: each is for a condition, and has a bound
// that only a hang reaches, however slow the machine.

import { setTimeout as delay } from "node:timers/promises";

/** Longer than anything takes that is not stuck. */
export const BOUND_MS = 60_000;

/**
 * A promise with a bound. `what` says what was waited for: it is what a failed test shows.
 */
export async function within<T>(what: string, promise: Promise<T>, bound = BOUND_MS): Promise<T> {
  const stop = new AbortController();
  const late = delay(bound, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`waited ${bound / 1000} s for ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
    late.catch(() => {});
  }
}

/** Asks again and again until there is an answer other than `undefined`. */
export async function eventually<T>(what: string, ask: () => T | undefined | Promise<T | undefined>, bound = BOUND_MS): Promise<T> {
  for (const end = Date.now() + bound; ; await delay(50)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`waited ${bound / 1000} s for ${what}`);
  }
}
