import type { Clock } from "./types.ts";

/** One call that is still to come, at most: another one takes its place, and `timer()` none. */
export const timer = (clock: Clock) => {
  let cancel: (() => void) | undefined;
  return (ms = 0, call?: () => void): void => {
    cancel?.();
    cancel = call && clock.after(ms, call);
  };
};
