// Requests that are made again and again, one at a time.

import { report } from "../client/store.ts";
import { timer } from "../client/timer.ts";
import type { Core } from "../client/types.ts";

/** After how long to try again: 1 s to 30 s, half of it by chance, so that what failed together does not come back together. */
export function backoff(tries: number, afterMs = 0): number {
  return Math.max(afterMs, Math.min(30_000, 1_000 * 2 ** tries) * (0.5 + Math.random() / 2));
}

export interface Repeated {
  /** Asks now; where an answer is on its way, once more after it, as it may be of before. */
  now(): void;
  stop(): void;
}

/**
 * `once` asks, and says in how many milliseconds to ask again; undefined: not by itself. What is due by itself while the page is not seen
 * waits until it is. `turn` calls when it may ask.
 */
export function repeated(
  { clock, visible }: Pick<Core, "clock" | "visible">,
  once: () => Promise<number | undefined>,
  turn = (ask: () => Promise<void>) => ask(),
): Repeated {
  let busy = false;
  let wanted = false;
  let stopped = false;
  let thrown = 0;
  let due = false;
  let ms: number | undefined;
  const later = timer(clock);
  const ask = async () => {
    // What was wanted while it waited for its turn is asked for by this.
    wanted = false;
    if (stopped) return;
    try {
      ms = await once();
      thrown = 0;
    } catch (error) {
      report(error);
      ms = backoff(thrown++);
    }
  };
  const now = async () => {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted && !stopped) {
      later();
      due = false;
      await turn(ask);
    }
    busy = false;
    if (ms !== undefined && !stopped) later(ms, byItself);
  };
  const byItself = () => {
    due = true;
    if (visible.get()) void now();
  };
  const leave = visible.subscribe(() => due && byItself());
  return {
    now,
    stop() {
      stopped = true;
      later();
      leave();
    },
  };
}
