// When each point of a track is due, whatever times it has.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bearing, between, distance, wrapped } from "../../scripts/drive/earth.mjs";
import type { Legs, Point } from "../../scripts/drive/point.mjs";
import { schedule } from "../../scripts/drive/schedule.mjs";

/** A degree of the equator, in metres. */
const DEGREE_M = 111_195;

const place = fc.record({ lat: fc.double({ min: -89, max: 89, noNaN: true }), lng: fc.double({ min: -180, max: 180, noNaN: true }) });
/** A point that is told from all others by its altitude. */
const points = (timed: boolean) =>
  fc.record(
    { place, time: fc.integer({ min: 1e12, max: 1e12 + 1e6 }), speed: fc.constantFrom(0, 7), heading: fc.constantFrom(0, 90) },
    { requiredKeys: timed ? ["place", "time"] : ["place"] },
  );
const track = (timed: boolean) =>
  fc.array(fc.array(points(timed), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }).map((legs): Legs => {
    let altitude = -3;
    return legs.map((leg) => leg.map(({ place, ...rest }) => ({ ...place, ...rest, altitude: altitude++ })));
  });

const numbers = (a = 0, b = 0) => a - b;
const isNamed = ({ altitude }: { altitude?: number }) => altitude !== undefined;

/** A line due east along the equator, by the degrees of its points. */
const equator = (degrees: number[], times: (number | undefined)[] = []): Point[] =>
  degrees.map((lng, index) => ({ lat: 0, lng, ...(times[index] !== undefined && { time: times[index] }) }));

test("none is lost, none comes twice, and all come in the order of time, which begins at 0", () => {
  fc.assert(
    fc.property(fc.oneof(track(true), track(false)), (legs) => {
      // Some timed, some not; where none is, there are more in between, which have no altitude.
      const due = schedule(legs);
      const all = legs.flat();
      assert.deepEqual(due.filter(isNamed).map(({ altitude }) => altitude).sort(numbers), all.map(({ altitude }) => altitude).sort(numbers));
      assert.equal(due[0]?.at, 0);
      due.forEach(({ at }, index) => assert.ok(at >= (due[index - 1]?.at ?? 0)));
      const shifts = due.filter(isNamed).flatMap((one) => {
        const { time, ...told } = all.find(({ altitude }) => altitude === one.altitude) as Point;
        // What the file says is told as it is, zeros too.
        assert.deepEqual({ ...one, ...told }, one);
        return time === undefined ? [] : [time - one.at];
      });
      // No time is moved against another.
      assert.ok(shifts.length === 0 || Math.max(...shifts) - Math.min(...shifts) < 0.01);
    }),
  );
});

test("what the file has not is derived, as a number that a phone could say", () => {
  fc.assert(
    fc.property(track(false), (legs) => {
      for (const { speed, heading, lat, lng } of schedule(legs)) {
        assert.ok(speed === undefined || (speed >= 0 && Number.isFinite(speed)));
        assert.ok(heading === undefined || (heading >= 0 && heading < 360));
        assert.ok(Math.abs(lat) <= 90 && Math.abs(lng) <= 180);
      }
    }),
  );
});

test("points without a time get one between their neighbours', by the way to each; outside at 12 m/s", () => {
  const due = schedule([equator([0, 1, 2, 5, 6].map((n) => n / 100), [undefined, 100_000, undefined, 140_000, undefined])]);
  const steady = (0.01 * DEGREE_M * 1000) / 12;
  const expected = [0, steady, steady + 10_000, steady + 40_000, 2 * steady + 40_000];
  due.forEach(({ at }, index) => assert.ok(Math.abs(at - (expected[index] ?? 0)) < 1, `${at} is not ${expected[index]}`));
  // Who stands for all of it is there by index.
  assert.deepEqual(schedule([equator([1, 1, 1], [0, undefined, 1000])]).map(({ at }) => at), [0, 500, 1000]);
});

test("without any time it is driven at 12 m/s, with a fix each 60 m at least, and over the antimeridian", () => {
  const due = schedule([equator([179.99, -179.99])]);
  const length = 0.02 * DEGREE_M;
  assert.equal(due.length, Math.ceil(length / 60) + 1);
  assert.ok(Math.abs((due.at(-1)?.at ?? 0) - (length / 12) * 1000) < 10);
  for (const [index, { lng, speed, heading }] of due.entries()) {
    assert.ok(Math.abs(lng) >= 179.99);
    assert.ok(Math.abs((speed ?? 0) - 12) < 0.01 && Math.abs((heading ?? 0) - 90) < 0.01, `${index}: ${speed}, ${heading}`);
  }
});

test("a file that begins with the newest is driven forwards, and speed and heading are of the way that is driven", () => {
  const due = schedule([equator([2, 1, 0], [2000, 1000, 0])]);
  assert.deepEqual(due.map(({ lng, at }) => [lng, at]), [[0, 0], [1, 1000], [2, 2000]]);
  for (const { heading, speed } of due) assert.ok(Math.abs((heading ?? 0) - 90) < 0.01 && (speed ?? 0) > 100_000);
});

test("a pause between two segments is kept, and is no way that was driven", () => {
  const due = schedule([equator([0, 0.001], [0, 1000]), equator([5, 5.001], [3_601_000, 3_602_000])]);
  assert.equal(due[2]?.at, 3_601_000);
  const [first, , second] = due;
  assert.ok(Math.abs((second?.speed ?? 0) - (first?.speed ?? 1)) < 0.01);
});

test("who stands has speed 0 and no heading, and what comes at one time has no speed", () => {
  const [, still, still2] = schedule([equator([0, 0, 0], [0, 1000, 1000])]);
  assert.deepEqual(still, { lat: 0, lng: 0, speed: 0, at: 1000 });
  assert.deepEqual(still2, { lat: 0, lng: 0, at: 1000 });
});

test("distances, directions and places between, over the antimeridian as anywhere", () => {
  assert.ok(Math.abs(distance({ lat: 0, lng: 179.5 }, { lat: 0, lng: -179.5 }) - DEGREE_M) < 1);
  assert.ok(Math.abs(bearing({ lat: 0, lng: 179.5 }, { lat: 0, lng: -179.5 }) - 90) < 1e-9);
  assert.deepEqual(between({ lat: 0, lng: 179 }, { lat: 2, lng: -179 }, 0.75), { lat: 1.5, lng: -179.5 });
  assert.deepEqual([-180, 180, 0, 190, -190, 550].map(wrapped), [-180, 180, 0, -170, 170, -170]);
  fc.assert(fc.property(place, place, (a, b) => Math.abs(distance(a, b) - distance(b, a)) < 1e-3 && bearing(a, b) < 360));
});
