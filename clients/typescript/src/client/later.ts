// What needs Ably is loaded when Ably is: a page in stream mode does without both.

import type { Channels, Clock } from "./types.ts";

/** Channels that end for good with `stop`. */
export type Stoppable = Channels & { stop(): void };

/** After how long what could not be loaded is tried again: it is where the network is. */
export const LOAD_AGAIN_MS = 5_000;

/** Loads once; what could not be loaded, again. */
export function loaded<T>(load: () => Promise<T>, clock: Clock): () => Promise<T> {
  let loading: Promise<T> | undefined;
  const once = (): Promise<T> =>
    (loading ??= load().catch(async () => {
      await new Promise<void>((resolve) => void clock.after(LOAD_AGAIN_MS, resolve));
      loading = undefined;
      return once();
    }));
  return once;
}

/** Channels that are loaded once somebody wants one. */
export function later(load: () => Promise<Stoppable>, clock: Clock): Stoppable {
  const once = loaded(load, clock);
  let there: Stoppable | undefined;
  let isOver = false;

  function take(call: (channels: Channels) => () => void): () => void {
    if (isOver) return () => {};
    if (there) return call(there);
    let off: (() => void) | undefined;
    let isGone = false;
    void once().then((channels) => {
      if (isOver) return;
      there = channels;
      if (!isGone) off = call(channels);
    });
    return () => {
      isGone = true;
      off?.();
    };
  }

  return {
    prepare: once,
    listen: (...all) => take((channels) => channels.listen(...all)),
    enter: (...all) => take((channels) => channels.enter(...all)),
    stop() {
      isOver = true;
      there?.stop();
    },
  };
}
