// Whether a marker has gone the way that its vehicle went, and never back.

import assert from "node:assert/strict";
import { metres, type Place } from "./chart.ts";

/** Metres: a pixel's half, twice, and what a way is long on which nothing has moved yet. */
const SLACK = 1.5;

/** That places, in order, lie on the line through some fixes, each as far along it as the one before or further. */
export function assertAlong(places: Place[], fixes: Place[]) {
  let along = { leg: 0, part: 0 };
  for (const place of places) {
    const next = nextAlong(place, fixes, along);
    assert.ok(next !== undefined, `the marker was at fix ${(along.leg + along.part).toFixed(2)}, and then at ${place.lat}, ${place.lng}, which is not further on`);
    along = next;
  }
}

/** The first point of the line, from a little before one of its points on, that a place is near to. */
function nextAlong(place: Place, fixes: Place[], from: { leg: number; part: number }) {
  for (let leg = from.leg; leg < fixes.length - 1; leg += 1) {
    const [a, b] = [fixes[leg]!, fixes[leg + 1]!];
    const least = leg === from.leg ? from.part : 0;
    const part = Math.min(1, Math.max(least, nearest(place, a, b)));
    const at = { lat: a.lat + (b.lat - a.lat) * part, lng: a.lng + (b.lng - a.lng) * part };
    if (metres(at, place) <= SLACK) return { leg, part };
  }
  return undefined;
}

/** Of the way from `a` to `b`, the part after which one is nearest to a place. */
function nearest(place: Place, a: Place, b: Place): number {
  const east = Math.cos((a.lat * Math.PI) / 180);
  const [x, y] = [(b.lng - a.lng) * east, b.lat - a.lat];
  const [px, py] = [(place.lng - a.lng) * east, place.lat - a.lat];
  return (px * x + py * y) / (x * x + y * y);
}
