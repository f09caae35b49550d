// Where a simulated vehicle is: a real drive, moved and turned so that no two drive the same, to and fro for ever.

import { bearing, between, distance } from "../drive/earth.mjs";

/**
 * @typedef {import("../drive/schedule.mjs").Due} Due
 *
 * @typedef {object} Variation
 * @property {number} north metres by which the whole drive is moved
 * @property {number} east
 * @property {number} turned degrees, clockwise, around where it begins
 * @property {boolean} mirrored
 * @property {number} begins in which share of the drive the vehicle is at first, 0 to 1
 * @property {number} pace 1.1 is a tenth faster than the drive was
 *
 * @typedef {{ lat: number, lng: number, altitude?: number }} Spot
 * @typedef {{ spots: (Spot & { at: number })[], offset: number }} Route `at` is seconds since the drive's beginning; `offset` is where in
 *   the way there and back the vehicle is at first, in seconds
 * @typedef {Spot & { speed: number, heading: number }} Whereabouts
 */

/** Metres of a degree of latitude. */
const DEGREE_M = 111_195;

/**
 * A drive of its own.
 * @param {Due[]} drive
 * @param {Variation} variation
 * @returns {Route}
 */
export function varied(drive, { north, east, turned, mirrored, begins, pace }) {
  const [start] = drive;
  if (start === undefined) throw new Error("a drive has a beginning");
  const [sin, cos] = [Math.sin((turned * Math.PI) / 180), Math.cos((turned * Math.PI) / 180)];
  const shrink = Math.cos((start.lat * Math.PI) / 180);
  const spots = drive.map(({ lat, lng, altitude, at }) => {
    const y = (lat - start.lat) * DEGREE_M;
    const x = (lng - start.lng) * DEGREE_M * shrink * (mirrored ? -1 : 1);
    const [toNorth, toEast] = [y * cos - x * sin + north, y * sin + x * cos + east];
    const spot = { lat: start.lat + toNorth / DEGREE_M, lng: start.lng + toEast / (DEGREE_M * shrink), at: at / 1000 / pace };
    return altitude === undefined ? spot : { ...spot, altitude };
  });
  return { spots, offset: begins * (spots.at(-1)?.at ?? 0) };
}

/**
 * Where the vehicle is. At either end it turns round and drives back as it came.
 * @param {Route} route
 * @param {number} seconds since the simulation's beginning
 * @returns {Whereabouts}
 */
export function whereabouts({ spots, offset }, seconds) {
  const length = spots.at(-1)?.at ?? 0;
  const phase = (seconds + offset) % (2 * length);
  const isBack = phase >= length;
  const at = isBack ? 2 * length - phase : phase;
  const next = spots.findIndex((spot, index) => index > 0 && spot.at >= at);
  const [a, b] = [spots[next - 1], spots[next]];
  if (a === undefined || b === undefined) throw new Error("a route has a way from its first spot to its last");
  const took = b.at - a.at;
  const share = took > 0 ? (at - a.at) / took : 0;
  const spot = between(a, b, share);
  return {
    ...spot,
    ...(a.altitude !== undefined && b.altitude !== undefined && { altitude: a.altitude + (b.altitude - a.altitude) * share }),
    speed: took > 0 ? distance(a, b) / took : 0,
    heading: isBack ? bearing(b, a) : bearing(a, b),
  };
}
