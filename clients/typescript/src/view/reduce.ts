// The one place that decides what is known of a job. A pure function: whatever is doubled, late or in another order, what is known in the
// end is the same.

import type { FirstState, JobEvent, LocationUpdated, Measured, Place, TrailPage } from "../wire.ts";
import {
  accepts,
  arrives,
  askAll,
  asksFrom,
  begin,
  closeHoles,
  covers,
  type Draft,
  draws,
  enters,
  FIRST_HEARD,
  forget,
  HEARD,
  hears,
  knows,
  says,
  SILENT,
  type State,
} from "./state.ts";
import { heardBy, timed } from "./time.ts";
import { byTime } from "./trail.ts";
import type { Input, Position, TrailPoint } from "./types.ts";

export { begin, type State };

const KEYS = Object.keys(begin("")) as (keyof State)[];

/** What is known after it; the same value where that is nothing else. What is malformed, or of another job, changes nothing. */
export function reduce(state: State, input: Input): State {
  const next: Draft = { ...state };
  change(next, input);
  closeHoles(next);
  return KEYS.some((key) => next[key] !== state[key]) ? next : state;
}

/** What to ask of the trail next: what is after this place. One answer may close many holes. */
export const ask = ({ hidden, up, epoch, holes }: State): Place | undefined =>
  hidden === undefined && up && holes.length > 0 ? { epoch: epoch!, seq: holes[0]!.from - 1 } : undefined;

const NONE: readonly TrailPoint[] = [];

/** The trail of the epoch, as far as it is wanted and known: by time, then by `seq`; the newest 20,000. The same array until it changes. */
export const points = ({ hidden, trail }: State): readonly TrailPoint[] => (hidden === undefined && trail.count > 0 ? byTime(trail) : NONE);

function change(n: Draft, input: Input): void {
  if (n.hidden === "ended" && input.is !== "link" && input.is !== "refused") {
    if (input.is === "message") closed(n, input.name, input.data);
    return;
  }
  switch (input.is) {
    case "message":
      return message(n, input.name, input.data, input.at);
    case "first":
      return first(n, input.state, input.asked, input.at);
    case "trail":
      return trail(n, input.after, input.page, input.asked, input.at);
    case "link":
      n.up = input.up;
      return;
    case "refused":
      if (input.why === "ended") ends(n, input.reason);
      else if (n.hidden !== "ended" && input.asked >= n.toldAsked) shuts(n, input.why, input.at);
      return;
    case "opened":
      if (n.hidden !== "not_yours") forget(n, "waiting", input.at);
      return;
    case "erase":
      return shuts(n, n.hidden === "not_yours" ? n.hidden : "waiting", input.at);
    case "want_trail":
      if (n.wanted) return;
      n.wanted = true;
      return askAll(n, input.at);
  }
}

/** Nothing is shown but by a first state that is asked for from now on. */
function shuts(n: Draft, hidden: State["hidden"], at: number): void {
  forget(n, hidden, at);
  n.since = at;
}

/** For ever. */
function ends(n: Draft, reason: unknown): void {
  if (n.hidden !== "ended") forget(n, "ended", 0);
  if (typeof reason === "string") n.reason ??= reason;
}

function closed(n: Draft, name: string, data: unknown): void {
  if (name === "job.closed" && isOf(n, data)) ends(n, (data as JobEvent).reason);
}

function message(n: Draft, name: string, data: unknown, at: number): void {
  if (n.hidden === "not_yours") return;
  closed(n, name, data);
  if (n.hidden === "ended" || n.hidden === "withheld" || !isOf(n, data)) return;
  const d = data as LocationUpdated & JobEvent;
  if (!isNumber(d.epoch) || !isNumber(d.ts) || d.ts <= n.gatedUntil) return;
  const moves = name === "location.updated";
  if (moves || name === "location.backfilled") {
    const head = moves ? (d.headSeq ?? d.seq) : d.seq;
    if (!(isNumber(d.fromSeq) && isNumber(head) && isNumber(d.seq) && d.fromSeq <= head && head <= d.seq) || (moves && !isFix(d))) return;
    if (!enters(n, d.epoch, at)) return;
    covers(n, d.fromSeq, d.seq, at);
    if (moves) marks(n, d, d.epoch, head);
    if (n.wanted) draws(n, (moves ? [...others(d), point(d, head)] : others(d)).sort((a, b) => a.seq - b.seq));
    accepts(n, d.ts);
  } else {
    // An event tells that the fixes up to it are there.
    if (!isNumber(d.afterSeq) || !enters(n, d.epoch, at)) return;
    covers(n, d.afterSeq + 1, d.afterSeq, at);
    happens(n, name, d);
  }
  n.time = heardBy(n.time, d.ts, at);
}

function others({ backfill }: LocationUpdated): TrailPoint[] {
  if (!Array.isArray(backfill)) return [];
  const points = backfill.filter(Array.isArray).map(([seq, capturedAt, lat, lng]) => ({ seq, capturedAt, lat, lng }));
  return points.filter((fix) => isNumber(fix.seq) && isFix(fix));
}

function happens(n: Draft, name: string, { ts, since, type, version }: JobEvent): void {
  if (name === "driver.silent" && isNumber(since)) {
    says(n, ts + SILENT, since);
    hears(n, since);
  } else if (name === "driver.heard") {
    says(n, ts + HEARD);
    hears(n, ts);
  } else if (name === "driver.arrived") arrives(n, ts + HEARD, ts);
  else if (name === "job.reassigned") n.again = true;
  else if (name === "job.updated" && typeof type === "string" && isNumber(version)) {
    const last = n.update;
    if (!last || ts > last.ts || (ts === last.ts && version > last.version)) n.update = { type, version, ts };
  }
}

/** Where a fix of this place is newer than the marker, it is the marker. */
function marks(n: Draft, fix: Measured & { capturedAt: number }, epoch: number, seq: number): void {
  if (n.marker && seq <= n.marker.seq) return;
  const { lat, lng, capturedAt, clock } = fix;
  const marker: Position = { epoch, seq, lat, lng, capturedAt };
  for (const name of MEASURES) if (isNumber(fix[name])) marker[name] = fix[name];
  if (clock) marker.clock = clock;
  n.marker = marker;
}

const MEASURES = ["speed", "heading", "accuracy", "altitude"] as const;

function first(n: Draft, state: FirstState, asked: number, at: number): void {
  if (!isOf(n, state) || !isNumber(state.now) || !(state.withheld || isState(state))) return;
  // One that withholds counts whenever it was asked for: a stream has it that was opened long ago.
  if (asked < n.since && !state.withheld) return;
  const { now } = state;
  n.time = timed(n.time, now, asked, at);
  // What was said before another one counts for nothing, lest it brings back what that has hidden. Of two of one millisecond the one that
  // withholds is the later.
  const isLate = now < n.toldNow || (now === n.toldNow && n.hidden === "withheld" && !state.withheld);
  if (asked < n.toldAt && isLate) return;
  n.toldNow = now;
  n.toldAt = at;
  n.toldAsked = Math.max(n.toldAsked, asked);
  if (state.withheld) {
    n.gatedUntil = now;
    if (asked < n.since && n.hidden === "not_yours") return;
    if (n.hidden !== "withheld") forget(n, "withheld", at);
    n.gate = state.gate;
    n.opensAt = state.opensAt;
    return;
  }
  n.hidden = n.gate = n.opensAt = undefined;
  // One without an epoch, or with an older one, was overtaken by a message: that one may look is all that it says.
  const { epoch, seq } = state;
  if (epoch === null ? n.epoch !== undefined : !enters(n, epoch, at)) return;
  // It would have the marker's fix if that were still for this viewer: they were away while what they may see has changed.
  if (n.marker && seq < n.marker.seq && now > n.fixAt) forget(n, undefined, at);
  n.vitals = now;
  n.heartbeat = state.heartbeat;
  n.fixMissingSince = state.fixMissingSince;
  hears(n, state.lastHeard);
  arrives(n, now, state.arrivedAt);
  says(n, state.silentSince ? now : now + FIRST_HEARD, state.silentSince);
  // It is the last fix that moves the marker: nothing that was known when it was asked for hides a newer one.
  if (!n.wanted) knows(n, 0, asked);
  if (isPlaced(state)) {
    covers(n, seq, seq, at);
    marks(n, state, state.epoch, seq);
    draws(n, [point(state, seq)]);
    accepts(n, state.ts);
  }
  // It is asked for where something may have been missed, and does not tell of what was late.
  asksFrom(n, n.top + 1, at);
}

function trail(n: Draft, after: Place, page: TrailPage, asked: number, at: number): void {
  if (!isOf(n, page)) return;
  if (page.withheld) return first(n, page, asked, at);
  if (n.hidden === "withheld" || n.hidden === "not_yours" || asked < n.since || asked < n.pagesSince || !Array.isArray(page.locations)) return;
  const epoch = Math.max(page.epoch ?? 0, after.epoch);
  if (!enters(n, epoch, at)) return;
  // They are in the order of their places: what is of an epoch is all of it up to the last one, less what is not for this viewer.
  const fixes = page.locations.filter((fix) => fix.epoch === epoch && isNumber(fix.seq) && isNumber(fix.ts) && isFix(fix));
  const from = after.epoch === epoch ? after.seq + 1 : 1;
  const next = page.next?.split(".").map(Number) ?? [];
  covers(n, from, Math.max(from - 1, fixes.at(-1)?.seq ?? 0, next[0] === epoch ? next[1]! : 0), at);
  // The last page has told all that there was when it was asked for.
  if (page.next === null) knows(n, from, asked);
  for (const fix of fixes) {
    if (!fix.late) marks(n, fix, epoch, fix.seq);
    accepts(n, fix.ts);
    n.time = heardBy(n.time, fix.ts, at);
  }
  draws(n, fixes.map((fix) => point(fix, fix.seq)));
}

const point = ({ capturedAt, lat, lng }: { capturedAt: number; lat: number; lng: number }, seq: number): TrailPoint => ({ seq, capturedAt, lat, lng });

type Shown = Exclude<FirstState, { withheld: true }>;

const isNumber = (value: unknown): value is number => Number.isFinite(value);
const isOf = ({ jobId }: Draft, data: unknown): boolean => (data as { jobId?: unknown } | null | undefined)?.jobId === jobId;
const isFix = ({ lat, lng, capturedAt }: { [K in keyof TrailPoint]?: unknown }): boolean => isNumber(lat) && isNumber(lng) && isNumber(capturedAt);
const isPlaced = (state: Shown): state is Extract<Shown, { lat: number }> => state.seq > 0;
const isState = (state: Shown): boolean =>
  isNumber(state.seq) && isNumber(state.epoch ?? 0) && (!isPlaced(state) || (isNumber(state.epoch) && isNumber(state.ts) && isFix(state)));
