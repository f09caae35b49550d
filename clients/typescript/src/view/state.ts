// What is known of a job, and the small steps by which it changes. The steps change a copy that is nobody's yet.

import type { PhoneState } from "../wire.ts";
import { NO_TIME, type Time } from "./time.ts";
import { added, EMPTY, KEPT, type Trail } from "./trail.ts";
import type { JobSnapshot, Position, TrailPoint } from "./types.ts";

/**
 * Seqs of the epoch of which nothing has come, and that were there at `at` (the clock's `now`). The last one may have no end: nobody has
 * said how many there were.
 */
export interface Hole {
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/** What is known of a job's present epoch. */
interface Life {
  readonly marker: Position | undefined;
  /** The last seq that is known to be there. */
  readonly top: number;
  /** Which have not come; by seq. Where no trail is wanted, only those after the marker, which might move it. */
  readonly holes: readonly Hole[];
  readonly trail: Trail;
  /** When the newest word on the driver's silence was said, and in its fraction how much that counts against another of the same millisecond. */
  readonly word: number;
  readonly silentSince: number | undefined;
  /** When the first state was said that the next two are of. */
  readonly vitals: number;
  readonly heartbeat: PhoneState | undefined;
  readonly fixMissingSince: number | undefined;
  /** When the newest fix was accepted: what a phone said before it is over. */
  readonly fixAt: number;
  readonly lastHeard: number | undefined;
  readonly update: JobSnapshot["update"];
  /** When the newest word on the arrival was said, as with `word`. */
  readonly arrivalWord: number;
  readonly arrivedAt: number | undefined;
}

/** What is known of a job; a value that does not change. */
export interface State extends Life {
  readonly jobId: string;
  readonly epoch: number | undefined;
  /** Whether there was an epoch before this one. */
  readonly again: boolean;
  /** Why nothing is shown; undefined where it is. */
  readonly hidden: "waiting" | "withheld" | "not_yours" | "ended" | undefined;
  readonly reason: string | undefined;
  readonly gate: string | undefined;
  readonly opensAt: number | undefined;
  /** Whether this device reaches the service. */
  readonly up: boolean;
  /** Whether the whole trail is wanted. */
  readonly wanted: boolean;
  /** First states that were asked for before this do not count; pages of the trail neither, nor before the other. */
  readonly since: number;
  readonly pagesSince: number;
  /** The newest first state: the service's `now`, and when it came. */
  readonly toldNow: number;
  readonly toldAt: number;
  /** When the last one was asked for: a refusal that was asked for before is of before. */
  readonly toldAsked: number;
  /** What was accepted until then is not for this viewer: a gate was closed. By the service's clock. */
  readonly gatedUntil: number;
  readonly time: Time;
}

/** A state that is still being made. */
export type Draft = { -readonly [K in keyof State]: State[K] };

export const NOTHING: Life = {
  marker: undefined,
  top: 0,
  holes: [],
  trail: EMPTY,
  word: -Infinity,
  silentSince: undefined,
  vitals: -Infinity,
  heartbeat: undefined,
  fixMissingSince: undefined,
  fixAt: -Infinity,
  lastHeard: undefined,
  update: undefined,
  arrivalWord: -Infinity,
  arrivedAt: undefined,
};

/**
 * Nothing is known, and nothing shown but for a first state. `time`: what others know of the service's clock. `since`: first states that
 * were asked for before (the clock's `now`) do not count, nor those that nobody knows when they were asked for (`asked: -Infinity`).
 */
export const begin = (jobId: string, time: Time = NO_TIME, since = -Infinity): State => ({
  ...NOTHING,
  jobId,
  epoch: undefined,
  again: false,
  hidden: "waiting",
  reason: undefined,
  gate: undefined,
  opensAt: undefined,
  up: true,
  wanted: false,
  since,
  pagesSince: since,
  toldNow: -Infinity,
  toldAt: -Infinity,
  toldAsked: -Infinity,
  gatedUntil: -Infinity,
  time,
});

/** The whole trail is asked for again, where it is wanted. */
export function askAll(n: Draft, at: number): void {
  n.trail = EMPTY;
  n.holes = NOTHING.holes;
  asksFrom(n, 1, at);
}

/** Where a trail is wanted, whatever there may be from this seq on is asked for. */
export function asksFrom(n: Draft, from: number, at: number): void {
  if (!n.wanted || n.epoch === undefined) return;
  const ends = n.holes.filter((hole) => hole.to < Infinity);
  n.holes = [...ends, { from: n.holes[ends.length]?.from ?? from, to: Infinity, at }];
}

/** Forgets what is shown. What stays is where the order has got to, so that nothing older is shown afterwards. */
export function forget(n: Draft, hidden: State["hidden"], at: number): void {
  const { top } = n;
  Object.assign(n, NOTHING, { top, hidden, gate: undefined, opensAt: undefined, pagesSince: at });
  askAll(n, at);
}

/** Whether what is of this epoch counts. A newer one erases what was known of the one before. */
export function enters(n: Draft, epoch: number, at: number): boolean {
  const { epoch: before = epoch } = n;
  if (epoch < before) return false;
  n.epoch = epoch;
  if (epoch > before) {
    Object.assign(n, NOTHING);
    n.again = true;
    // What was asked for was of the one before.
    askAll(n, at);
  }
  return true;
}

/** Seqs up to `to` are there, and of `from … to` there is nothing more to come. */
export function covers(n: Draft, from: number, to: number, at: number): void {
  if (from > n.top + 1 && n.holes.at(-1)?.to !== Infinity) n.holes = [...n.holes, { from: n.top + 1, to: from - 1, at }];
  if (to > n.top) n.top = to;
  if (n.holes.some((hole) => hole.from <= to && hole.to >= from)) {
    n.holes = n.holes
      .flatMap((hole) => [
        // What is before it in one without an end is known to be there only now.
        { ...hole, to: Math.min(hole.to, from - 1), at: hole.to < Infinity ? hole.at : at },
        { ...hole, from: Math.max(hole.from, to + 1) },
      ])
      .filter((hole) => hole.from <= hole.to);
  }
}

/** Of the holes that were known before `asked` there is nothing to come, from this seq on. */
export function knows(n: Draft, from: number, asked: number): void {
  const holes = n.holes.filter((hole) => hole.from < from || hole.at >= asked);
  if (holes.length < n.holes.length) n.holes = holes;
}

/** Drops the holes of which nothing is wanted. */
export function closeHoles(n: Draft): void {
  const floor = n.wanted ? n.top - KEPT : (n.marker?.seq ?? 0);
  if (n.holes.length > 0 && n.holes[0]!.from <= floor) covers(n, 1, floor, 0);
}

export function draws(n: Draft, points: readonly TrailPoint[]): void {
  if (n.wanted) n.trail = added(n.trail, points);
}

/** How much a word on silence counts against others of the same millisecond: whoever is heard is not silent in it. */
export const [FIRST_HEARD, SILENT, HEARD] = [0.25, 0.5, 0.75];

/** The newest word on the driver's silence. `word`: when it was said, and how much it counts. */
export function says(n: Draft, word: number, silentSince?: number): void {
  if (word <= n.word) return;
  n.word = word;
  n.silentSince = silentSince;
}

/** The newest word on the arrival: an event has when it was told, a first state when it was measured, and nothing where that is not for this viewer, or the place is another. */
export function arrives(n: Draft, word: number, arrivedAt?: number): void {
  if (word <= n.arrivalWord) return;
  n.arrivalWord = word;
  n.arrivedAt = arrivedAt;
}

export function hears(n: Draft, at: number | undefined): void {
  if (at! > (n.lastHeard ?? 0)) n.lastHeard = at;
}

/** A fix was accepted at `ts`. */
export function accepts(n: Draft, ts: number): void {
  if (ts > n.fixAt) n.fixAt = ts;
  says(n, ts + HEARD);
  hears(n, ts);
}
