// Where a vehicle was at a time, as far as its trail tells.

import type { TrailPoint } from "@towline/client";
import { onFrom } from "@/map/spot";

export interface WhereAt {
  lat: number;
  lng: number;
  /** Degrees clockwise from north, and metres a second; where it is between two points that are near enough. */
  heading?: number;
  speed?: number;
  /** Of when the position is, Unix milliseconds: earlier than what was asked for where nothing nearer is known. */
  capturedAt: number;
}

/** Where nothing was known for so long, in milliseconds, nobody knows where the vehicle was between. */
const GAP = 30_000;
const METRES_A_DEGREE = 111_195;

/** How many of the points are of that time or before. @param points by time */
export function countUntil(points: readonly TrailPoint[], time: number): number {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle]!.capturedAt <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param points by time @returns undefined before the first */
export function whereAt(points: readonly TrailPoint[], time: number): WhereAt | undefined {
  const count = countUntil(points, time);
  const from = points[count - 1];
  // At the last point it is what the way there says.
  const [a, b] = count < points.length ? [from, points[count]] : [points[count - 2], from];
  if (from === undefined) return undefined;
  const { lat, lng, capturedAt } = from;
  if (a === undefined || b === undefined || b.capturedAt - a.capturedAt > GAP || time > b.capturedAt) return { lat, lng, capturedAt };
  const seconds = (b.capturedAt - a.capturedAt) / 1_000;
  const along = onFrom(a.lng, b.lng) - a.lng;
  const north = (b.lat - a.lat) * METRES_A_DEGREE;
  const east = along * Math.cos((a.lat * Math.PI) / 180) * METRES_A_DEGREE;
  const metres = Math.hypot(north, east);
  const part = seconds > 0 ? (time - a.capturedAt) / 1_000 / seconds : 1;
  return {
    lat: a.lat + (b.lat - a.lat) * part,
    lng: a.lng + along * part,
    ...(metres > 1 && { heading: ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360 }),
    ...(seconds > 0 && { speed: metres / seconds }),
    capturedAt: time,
  };
}
