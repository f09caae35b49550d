// Which of a phone's positions are worth a fix, and what the phone says of itself when none is.

import type { Measured } from "../wire.ts";

/** A position as phones give it: `GeolocationPosition`, expo-location's `LocationObject`, or your own. */
export interface PhonePosition {
  coords: {
    latitude: number;
    longitude: number;
    accuracy?: number | null;
    altitude?: number | null;
    heading?: number | null;
    speed?: number | null;
  };
  /** Unix milliseconds by the device's clock. */
  timestamp: number;
}

/** A position in the service's fields; what the phone does not know is left out. */
export interface Reading extends Measured {
  capturedAt: number;
}

/** A vehicle that has moved so far has a new position. */
const MOVED_M = 10;
/** And one that moves slowly, after so long. */
const MOVING_MS = 5_000;
/** Slower than a walk is what receivers say of a vehicle that stands. */
const MOVING_M_S = 1;
/** A position that may be off by more comes from cells and networks, not from satellites. */
const COARSE_M = 100;
/** For so long a good position says where the vehicle is. */
const GOOD_FOR_MS = 30_000;
/** By so much a position has to be better than the one before, and have half its radius, to be one of its own. */
const BETTER_M = 20;

/** Positions that arrive faster tell nothing of when they were measured. */
const FRESH_MS = 500;
/** Two clocks that are further apart are not the same; the service takes no notice of less. */
const OTHER_CLOCK_MS = 30_000;

const EARTH_M = 6_371_009;

/** Metres between two places along a great circle. */
export function distance(a: Measured, b: Measured): number {
  const half = (degrees: number) => Math.sin((degrees * Math.PI) / 360) ** 2;
  const cos = (degrees: number) => Math.cos((degrees * Math.PI) / 180);
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(half(b.lat - a.lat) + cos(a.lat) * cos(b.lat) * half(b.lng - a.lng))));
}

/**
 * What a phone says, in the service's fields; undefined where it is no place on Earth. −1, NaN and null mean unknown.
 * @param wall the device's clock, for a position without a time
 */
export function readingOf({ coords, timestamp }: PhonePosition, wall: number): Reading | undefined {
  const { latitude: lat, longitude: lng, altitude } = coords;
  if (!(Math.abs(lat) <= 90 && Math.abs(lng) <= 180)) return undefined;
  const known = (name: "accuracy" | "speed" | "heading", max = Infinity) => {
    const value = coords[name];
    return typeof value === "number" && value >= 0 && value <= max && value < Infinity ? { [name]: value } : {};
  };
  return {
    lat,
    lng,
    ...known("accuracy"),
    ...known("speed"),
    ...known("heading", 360),
    ...(Number.isFinite(altitude) && { altitude: altitude as number }),
    capturedAt: Math.floor(Number.isFinite(timestamp) ? timestamp : wall),
  };
}

/**
 * When a position was measured, by the device's clock. Some phones say it by the satellites', and the two may be years apart; the service repairs
 * a wrong clock by comparing it with its own, and so all has to be by one. Positions that arrive as far apart as they were measured arrive as
 * they are measured, which is now, whatever they say. Of any other, such as one that was kept while the page slept, what it says holds.
 */
export function measuredBy(): (said: number, now: number, wall: number) => number {
  let before = { said: NaN, now: NaN };
  return (said, now, wall) => {
    const [passed, between] = [now - before.now, said - before.said];
    before = { said, now };
    const asMeasured = passed >= FRESH_MS && Math.abs(passed - between) < passed / 2;
    return asMeasured && Math.abs(wall - said) > OTHER_CLOCK_MS ? wall : said;
  };
}

export interface Sampler {
  /** Whether this is worth a fix. `now` is the clock's, at its arrival. */
  take(reading: Reading, now: number): boolean;
  /** What is true where there was nothing worth a fix for a while. */
  state(now: number): "parked" | "no_fix";
}

/** Makes the choice for one job, from its beginning. */
export function createSampler(): Sampler {
  let kept: Reading | undefined;
  let keptAt = -Infinity;
  let goodAt = -Infinity;

  function worth(reading: Reading, now: number, coarse: boolean): boolean {
    if (kept === undefined) return true;
    const [before, radius] = [kept.accuracy ?? 0, reading.accuracy ?? 0];
    const metres = distance(kept, reading);
    // The first position is often a cell's, kilometres off, and then comes the real one.
    if (radius <= before / 2 && before - radius >= BETTER_M) return true;
    // A cell's radius holds for two of three positions only, so a standing vehicle would wander with it.
    if (coarse) return metres > before + 2 * radius;
    if (reading.capturedAt === kept.capturedAt && metres === 0) return false;
    if (reading.speed !== undefined && reading.speed >= MOVING_M_S) return metres >= MOVED_M || now - keptAt >= MOVING_MS;
    // Nothing says that it moves but the distance, and that may be all noise.
    return metres >= MOVED_M && metres > before + radius;
  }

  return {
    take(reading, now) {
      const coarse = (reading.accuracy ?? 0) > COARSE_M;
      if (coarse && now - goodAt < GOOD_FOR_MS) return false;
      if (!coarse) goodAt = now;
      const keep = worth(reading, now, coarse);
      if (keep) [kept, keptAt] = [reading, now];
      return keep;
    },
    state: (now) => (now - goodAt < GOOD_FOR_MS ? "parked" : "no_fix"),
  };
}
