// The points of a trail, in a value that does not change: what is appended shares one array with what there was before.

import type { TrailPoint } from "./types.ts";

/** So many points of a job are kept, the newest by `seq`. Up to twice as many are in memory before it is cut: about 4 MB. */
export const KEPT = 20_000;

/** Points by `seq`, each once: the first `count` of `log`. Whoever has all of `log` may append to it, and nobody else. */
export interface Trail {
  readonly log: TrailPoint[];
  readonly count: number;
}

export const EMPTY: Trail = { log: [], count: 0 };

/** With these points, which are by `seq`. A point that is there stays as it is. */
export function added(trail: Trail, points: readonly TrailPoint[]): Trail {
  const { log, count } = trail;
  if (points.length === 0) return trail;
  if (count === 0 || points[0]!.seq > log[count - 1]!.seq) {
    // The empty one is everybody's.
    const own = log.length === count && count > 0 ? log : log.slice(0, count);
    own.push(...points);
    return bounded(own);
  }
  const all = new Map([...points, ...log.slice(0, count)].map((point) => [point.seq, point]));
  return all.size === count ? trail : bounded([...all.values()].sort((a, b) => a.seq - b.seq));
}

/** Cut seldom, so that it costs little. */
function bounded(all: TrailPoint[]): Trail {
  const log = all.length < 2 * KEPT ? all : all.slice(-KEPT);
  return { log, count: log.length };
}

const ordered = new WeakMap<Trail, readonly TrailPoint[]>();

/** The points by time, then by `seq`: the same array as long as the trail is the same. */
export function byTime(trail: Trail): readonly TrailPoint[] {
  let points = ordered.get(trail);
  if (points === undefined) {
    points = trail.log.slice(Math.max(0, trail.count - KEPT), trail.count).sort((a, b) => a.capturedAt - b.capturedAt || a.seq - b.seq);
    ordered.set(trail, points);
  }
  return points;
}
