// When each point of a track is due: by the times of the file, or, where it has none, at a steady speed.

import { bearing, between, distance } from "./earth.mjs";
import { isTimed } from "./point.mjs";

/**
 * @typedef {import("./point.mjs").Point} Point
 * @typedef {Omit<Point, "time"> & { at: number }} Due a point, with the milliseconds of the file since its first
 * @typedef {Point & { leg: number, time: number }} Timed
 */

/** The speed of what has no time, in metres a second. */
export const STEADY = 12;
/** How far apart the fixes are on a line that is a plan and no recording: a phone measures on the way, too. */
const STEP_M = 60;
/** Below this a vehicle stands, and has no direction. */
const STANDS_M = 1;

/**
 * Every point of the track in the order of time. Speed and heading are derived where the file has none.
 * @param {import("./point.mjs").Legs} legs
 * @returns {Due[]}
 */
export function schedule(legs) {
  const isRecorded = isTimed(legs);
  const points = legs.flatMap((leg, index) => (isRecorded ? leg : filled(leg)).map((point) => ({ ...point, leg: index })));
  // The sort is stable: what has one time stays in the order of the file.
  const timed = withTimes(points).sort((a, b) => a.time - b.time);
  const start = timed[0]?.time ?? 0;
  return timed.map((point, index) => {
    const { leg, time, ...fix } = point;
    const motion = derived(neighbours(timed, index));
    return { ...motion, ...fix, at: time - start };
  });
}

/**
 * A line without times, with points in between where its own are far apart.
 * @param {Point[]} leg
 * @returns {Point[]}
 */
function filled(leg) {
  return leg.flatMap((point, index) => {
    const before = leg[index - 1];
    if (before === undefined) return [point];
    const steps = Math.max(1, Math.ceil(distance(before, point) / STEP_M));
    const way = Array.from({ length: steps - 1 }, (_, step) => between(before, point, (step + 1) / steps));
    return [...way, point];
  });
}

/**
 * Gives a time to those that have none: between those that have, by how far it is from one to the other.
 * @param {(Point & { leg: number })[]} points
 * @returns {Timed[]}
 */
function withTimes(points) {
  const far = [0];
  for (let index = 1; index < points.length; index += 1) {
    far.push((far[index - 1] ?? 0) + distance(/** @type {Point} */ (points[index - 1]), /** @type {Point} */ (points[index])));
  }
  const known = points.flatMap(({ time }, index) => (time === undefined ? [] : [{ index, time, far: far[index] ?? 0 }]));
  const [first = { index: 0, time: 0, far: 0 }] = known;
  let behind = 0;
  return points.map((point, index) => {
    while ((known[behind + 1]?.index ?? Infinity) <= index) behind += 1;
    const a = known[behind] ?? first;
    const b = known[behind + 1];
    const way = far[index] ?? 0;
    // Before the first and after the last.
    if (index < a.index || b === undefined) return { ...point, time: point.time ?? a.time + ((way - a.far) / STEADY) * 1000 };
    const share = b.far > a.far ? (way - a.far) / (b.far - a.far) : (index - a.index) / (b.index - a.index);
    return { ...point, time: point.time ?? a.time + (b.time - a.time) * share };
  });
}

/**
 * The two points by which it is told how fast and whereto a vehicle goes at one: the one before and itself, as a phone knows it; at
 * the beginning of a leg itself and the next.
 * @param {Timed[]} timed
 * @param {number} index
 * @returns {[Timed, Timed] | undefined}
 */
function neighbours(timed, index) {
  const [before, here, after] = [timed[index - 1], timed[index], timed[index + 1]];
  if (here === undefined) return undefined;
  if (before?.leg === here.leg) return [before, here];
  return after?.leg === here.leg ? [here, after] : undefined;
}

/**
 * @param {[Timed, Timed] | undefined} pair
 * @returns {{ speed?: number, heading?: number }}
 */
function derived(pair) {
  if (pair === undefined) return {};
  const [a, b] = pair;
  const metres = distance(a, b);
  const seconds = (b.time - a.time) / 1000;
  return { ...(seconds > 0 && { speed: metres / seconds }), ...(metres >= STANDS_M && { heading: bearing(a, b) }) };
}
