// What is known of the service's clock. A device's own may be wrong by years, so no age is ever told by it.

/** How far the service's clock is ahead of ours (`Clock.now`), in milliseconds. */
export interface Time {
  /** By the best first state: its `now` was said somewhere between question and answer, in the middle as far as we know. */
  readonly middle: number;
  /** How long that one took. */
  readonly took: number;
  /** When it came. */
  readonly at: number;
  /** It is at least so much: whatever has arrived was said before. */
  readonly least: number;
}

/** Nothing is known. */
export const NO_TIME: Time = { middle: -Infinity, took: Infinity, at: 0, least: -Infinity };

/** What took longer says no more than that it was said before it came: a stream that has been open for hours tells a first state too. */
const LONGEST = 20_000;

/** The service's clock, Unix milliseconds. */
export const serviceNow = (time: Time, now: number): number => now + Math.max(time.middle, time.least);

/**
 * A first state said `now`. The shortest way wins; but each second of age counts for a millisecond of way, as clocks drift, and one that is
 * disproved is dropped, as clocks stand still while a device sleeps.
 */
export function timed(time: Time, now: number, asked: number, at: number): Time {
  const [least, most] = [now - at, now - asked];
  const took = at - asked;
  const isBetter = took < LONGEST && (took < time.took + (at - time.at) / 1000 || time.middle < least || time.middle > most);
  const bound = Math.max(least, Math.min(time.least, most));
  return isBetter ? { middle: (least + most) / 2, took, at, least: bound } : bound === time.least ? time : { ...time, least: bound };
}

/** Something came that was said at `ts`. */
export const heardBy = (time: Time, ts: number, at: number): Time => (ts - at > time.least ? { ...time, least: ts - at } : time);
