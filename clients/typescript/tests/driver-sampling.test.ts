// Which positions become fixes.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createSampler, distance, measuredBy, readingOf } from "../src/driver/sampling.ts";
import { position, randomOf } from "./support/driver-world.ts";

const START = 1_800_000_000_000;

/** What is kept of positions `[second, metres north, coords]`. */
function keptOf(given: [second: number, metres: number, coords?: Partial<GeolocationCoordinates>][]) {
  const sampler = createSampler();
  return given.filter(([second, metres, coords]) => {
    const reading = readingOf(position(metres, START + second * 1000, coords), START);
    return reading !== undefined && sampler.take(reading, second * 1000);
  }).map(([second]) => second);
}

test("what phones say of what they do not know is left out", () => {
  const at = { timestamp: START };
  const coords = { latitude: 48.5, longitude: -16.25 };
  const bare = { lat: 48.5, lng: -16.25, capturedAt: START };
  const unknown = { accuracy: -1, speed: -1, heading: NaN, altitude: NaN };
  assert.deepEqual(readingOf({ ...at, coords: { ...coords, ...unknown } }, 5), bare);
  assert.deepEqual(readingOf({ ...at, coords: { ...coords, accuracy: null, speed: null, heading: null, altitude: null } }, 5), bare);
  assert.deepEqual(readingOf({ ...at, coords }, 5), bare);
  assert.deepEqual(readingOf({ ...at, coords: { ...coords, heading: -1, speed: Infinity, altitude: -Infinity } }, 5), bare);
  assert.deepEqual(readingOf({ ...at, coords: { ...coords, heading: 361 } }, 5), bare);
  const known = { accuracy: 0, speed: 0, heading: 360, altitude: -400 };
  assert.deepEqual(readingOf({ ...at, coords: { ...coords, ...known } }, 5), { ...bare, ...known });
  assert.equal(readingOf({ coords, timestamp: START + 0.75 }, 5)?.capturedAt, START);
  assert.equal(readingOf({ coords, timestamp: NaN }, 5)?.capturedAt, 5);
  for (const [latitude, longitude] of [[NaN, 0], [0, NaN], [91, 0], [0, -181], [undefined, 0]]) {
    assert.equal(readingOf({ ...at, coords: { latitude, longitude } as never }, 5), undefined);
  }
});

test("distances are those along great circles", () => {
  const between = (a: [number, number], b: [number, number]) => distance({ lat: a[0], lng: a[1] }, { lat: b[0], lng: b[1] });
  assert.ok(Math.abs(between([48, 16], [48.001, 16]) - 111.2) < 0.1);
  assert.ok(Math.abs(between([60, 10], [60, 10.001]) - 55.6) < 0.1);
  assert.ok(Math.abs(between([0, 179.999], [0, -179.999]) - 222.4) < 0.1);
  assert.ok(Math.abs(between([90, 0], [-90, 77]) - Math.PI * 6_371_009) < 1);
  assert.equal(between([12, 34], [12, 34]), 0);
});

test("a fix for each ten metres", () => {
  assert.deepEqual(keptOf([[0, 0], [1, 9], [2, 18], [3, 27.9], [4, 28.1]]), [0, 2, 4]);
});

test("a vehicle that crawls has one every five seconds", () => {
  const slow = { speed: 1.2 };
  assert.deepEqual(keptOf(Array.from({ length: 13 }, (_, second) => [second, second * 1.2, slow])), [0, 5, 10]);
});

test("one that stands has none, however its position wanders", () => {
  const random = randomOf(7);
  for (const speed of [0, 0.6, null]) {
    const wander = Array.from({ length: 600 }, (_, second): [number, number, Partial<GeolocationCoordinates>] => [second, (random() - 0.5) * 18, { speed, accuracy: 12 }]);
    assert.deepEqual(keptOf([[0, 0, { speed, accuracy: 12 }], ...wander.slice(1)]), [0], `at ${speed} m/s`);
  }
});

test("the position of a cell makes no vehicle move that is known to stand", () => {
  const cell = { accuracy: 2_000, speed: null };
  assert.deepEqual(keptOf([[0, 0], [1, 3_000, cell], [2, 0, { speed: 0 }], [3, -5_000, cell], [4, 900, cell]]), [0]);
  // In a garage, where there is nothing else for minutes.
  assert.deepEqual(keptOf([[0, 0], [60, 1_900, cell], [120, -3_500, cell], [180, 200, cell]]), [0]);
});

test("where there is nothing else, a cell says when the vehicle is elsewhere, and the first good position is a fix", () => {
  const cell = { accuracy: 2_000, speed: null };
  assert.deepEqual(keptOf([[0, 0, cell], [10, 1_500, cell], [20, 9_000, cell]]), [0, 20]);
  assert.deepEqual(keptOf([[0, 800, cell], [1, 0, { accuracy: 8, speed: 0 }], [2, 1, { accuracy: 7, speed: 0 }]]), [0, 1]);
  assert.deepEqual(keptOf([[0, 0], [60, 9_000, cell], [61, 8_500, { accuracy: 9, speed: 0 }]]), [0, 60, 61]);
});

test("without a speed a vehicle moves by more than both positions may be off", () => {
  const unsure = { speed: null, accuracy: 30 };
  assert.deepEqual(keptOf([[0, 0, unsure], [1, 55, unsure], [2, 65, unsure], [3, 120, unsure], [4, 130, unsure]]), [0, 2, 4]);
});

test("a position's time by another clock than the device's becomes the device's, and an old position stays old", () => {
  const hour = 3_600_000;
  // By satellites, on a phone that is an hour fast.
  const fast = measuredBy();
  assert.deepEqual([0, 1_000, 2_100, 7_000].map((now) => fast(START + now, now, START + hour + now) - START - now), [0, hour, hour, hour]);
  // The device's own clock; receivers take a moment.
  const own = measuredBy();
  assert.deepEqual([0, 1_000, 2_000].map((now) => own(START + now - 700, now, START + now) - START - now), [-700, -700, -700]);
  // Kept while the page slept for an hour, and then all at once; after that, as they are measured.
  const slept = measuredBy();
  slept(START, 0, START);
  const late = [1, 2, 3].map((second) => slept(START + second * 1_000, hour + second, START + hour + second));
  assert.deepEqual(late, [START + 1_000, START + 2_000, START + 3_000]);
  assert.equal(slept(START + hour + 2_000, hour + 2_003, START + hour + 2_003), START + hour + 2_000);
  // The same old one again and again.
  const stuck = measuredBy();
  assert.deepEqual([0, 5_000, 10_000].map((now) => stuck(START - hour, now, START + now)), Array(3).fill(START - hour));
});

test("the same measurement again is none", () => {
  const sampler = createSampler();
  const reading = readingOf(position(0, START), START)!;
  assert.deepEqual([sampler.take(reading, 0), sampler.take(reading, 6_000), sampler.take({ ...reading, capturedAt: START + 1 }, 6_000)], [true, false, true]);
});

test("parked is only who is known to be there", () => {
  const sampler = createSampler();
  const take = (now: number, coords: Partial<GeolocationCoordinates>) => sampler.take(readingOf(position(0, START + now, coords), START)!, now);
  assert.equal(sampler.state(0), "no_fix");
  take(1_000, { accuracy: 2_000 });
  assert.equal(sampler.state(1_000), "no_fix");
  take(2_000, { accuracy: 20, speed: 0 });
  assert.equal(sampler.state(31_999), "parked");
  assert.equal(sampler.state(32_000), "no_fix");
  take(40_000, { accuracy: 20, speed: 0 });
  assert.equal(sampler.state(41_000), "parked");
});

test("whatever a vehicle does, its last fix is near where it is, and there are no more than its way needs", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ speed: fc.double({ min: 0, max: 40, noNaN: true }), known: fc.boolean(), accuracy: fc.integer({ min: 3, max: 60 }) }), { minLength: 20, maxLength: 200 }), (way) => {
      const sampler = createSampler();
      let [metres, driven, last, fixes] = [0, 0, 0, 0];
      way.forEach(({ speed, known, accuracy }, second) => {
        metres += speed;
        driven += speed;
        const reading = readingOf(position(metres, START + second * 1000, { speed: known ? speed : null, accuracy }), START)!;
        if (!sampler.take(reading, second * 1000)) {
          assert.ok(metres - last <= 120, `${metres - last} m behind`);
          return;
        }
        last = metres;
        fixes += 1;
      });
      // One each ten metres or five seconds, the first one, and at most a few that are better than the one before.
      assert.ok(fixes <= 1 + driven / 10 + way.length / 5 + way.length / 4);
    }),
  );
});
