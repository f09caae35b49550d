// Markers that glide, on a screen whose frames a test paints.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Glide, glide, type Gliding, type Screen } from "../src/glide/glide.ts";
import type { Position } from "../src/view/types.ts";
import { chance } from "./support/chance.ts";

/** A position of this seq, a metre or so further north with each. */
const at = (seq: number, more: Partial<Position> = {}): Position => ({ epoch: 1, seq, lat: seq / 1e5, lng: 16, capturedAt: seq * 1_000, ...more });

function stage() {
  let [now, isStill] = [0, false];
  const due = new Set<{ at: number; call: () => void }>();
  const shown: { id: string; place: Gliding | undefined; now: number }[] = [];
  const screen: Screen = {
    now: () => now,
    frame(ms, call) {
      const one = { at: now + ms, call };
      due.add(one);
      return () => due.delete(one);
    },
    still: () => isStill,
  };
  const markers: Glide = glide((id, place) => shown.push({ id, place, now }), screen);
  return {
    markers,
    shown,
    due,
    still(value: boolean) {
      isStill = value;
    },
    pass(ms: number) {
      const end = now + ms;
      for (;;) {
        const next = [...due].sort((a, b) => a.at - b.at)[0];
        if (next === undefined || next.at > end) break;
        due.delete(next);
        now = next.at;
        next.call();
      }
      now = end;
    },
    last: () => shown.at(-1)?.place,
  };
}

test("a marker is at its first position at once, and glides to the next within a second", () => {
  const { markers, shown, pass, last, due } = stage();
  markers.move("a", at(0));
  assert.deepEqual(shown, [{ id: "a", place: { lat: 0, lng: 16, heading: undefined }, now: 0 }]);
  assert.equal(due.size, 0);
  markers.move("a", at(5));
  pass(500);
  assert.ok(Math.abs(last()!.lat - 2.5e-5) < 1e-9);
  pass(500);
  assert.deepEqual(last(), { lat: 5e-5, lng: 16, heading: undefined });
  assert.equal(due.size, 0);
});

test("frames are at most 20 a second, 5 above 50 markers, for all together, and none where nothing moves", () => {
  for (const [count, most] of [[50, 20], [51, 5]] as const) {
    const { markers, shown, pass, due } = stage();
    for (let n = 0; n < count; n++) markers.move(`m${n}`, at(0));
    for (let n = 0; n < count; n++) markers.move(`m${n}`, at(2));
    assert.equal(due.size, 1);
    const before = shown.length;
    pass(10_000);
    const frames = new Set(shown.slice(before).map(({ now }) => now));
    assert.equal(frames.size, most);
    assert.equal(shown.length - before, most * count);
  }
});

test("positions once a second make a steady way", () => {
  const { markers, shown, pass } = stage();
  for (let seq = 0; seq < 20; seq++) {
    markers.move("a", at(seq));
    pass(1_000);
  }
  const steps = shown.slice(20).map(({ place }, n, all) => (n === 0 ? 5e-7 : place!.lat - all[n - 1]!.place!.lat));
  assert.ok(steps.every((step) => step > 0 && step < 1e-6), String(Math.max(...steps)));
});

test("a position that comes on the way is gone to from there", () => {
  const { markers, pass, last } = stage();
  markers.move("a", at(0));
  markers.move("a", at(4));
  pass(500);
  markers.move("a", at(8));
  pass(50);
  assert.ok(last()!.lat > 2e-5 && last()!.lat < 2.5e-5, String(last()!.lat));
});

test("several in a second do not pile up: it is never over a second late", () => {
  const { markers, pass, last } = stage();
  for (let n = 0; n <= 50; n++) {
    markers.move("a", at(n, { capturedAt: n * 200 }));
    pass(200);
  }
  assert.ok(last()!.lat >= 45e-5 && last()!.lat <= 50e-5, String(last()!.lat));
  pass(1_000);
  assert.equal(last()!.lat, 50e-5);
});

test("it jumps where there is no way to show", () => {
  const jumps = (next: Position, still = false): boolean => {
    const { markers, shown, still: set, due } = stage();
    markers.move("a", at(0));
    set(still);
    markers.move("a", next);
    return shown.length === 2 && due.size === 0 && shown[1]!.place!.lat === next.lat;
  };
  assert.equal(jumps(at(1)), false);
  assert.equal(jumps(at(1), true), true);
  assert.equal(jumps(at(1, { epoch: 2 })), true);
  assert.equal(jumps(at(29)), false);
  assert.equal(jumps(at(31)), true);
  // 69 and 71 m/s, over 10 s.
  assert.equal(jumps(at(10, { lat: 690 / 111_195 })), false);
  assert.equal(jumps(at(10, { lat: 710 / 111_195 })), true);
  assert.equal(jumps(at(1, { lat: 99 / 111_195 })), false);
  assert.equal(jumps(at(1, { lat: 101 / 111_195 })), true);
  // A place that is newer and was not measured later.
  assert.equal(jumps(at(1, { capturedAt: 0 })), true);
});

test("whoever looks away, or asks for less motion, finds it at its end", () => {
  const { markers, pass, last, still, due } = stage();
  markers.move("a", at(0));
  markers.move("a", at(5));
  pass(100);
  still(true);
  pass(50);
  assert.equal(last()!.lat, 5e-5);
  assert.equal(due.size, 0);
});

test("what is gone is gone at once, on its way too, and begins anew", () => {
  const { markers, shown, pass, last, due } = stage();
  markers.move("a", at(0));
  markers.move("a", at(5));
  pass(100);
  markers.move("a", undefined);
  assert.equal(last(), undefined);
  const count = shown.length;
  markers.move("a", undefined);
  pass(1_000);
  assert.equal(shown.length, count);
  markers.move("a", at(3));
  assert.equal(last()!.lat, 3e-5);
  markers.move("b", at(0));
  markers.move("b", at(1));
  markers.stop();
  assert.equal(due.size, 0);
});

test("it turns the short way, keeps the heading that it had, and crosses 180° as a vehicle does", () => {
  const { markers, shown, pass } = stage();
  markers.move("a", at(0, { heading: 350, lng: 179.9999 }));
  markers.move("a", at(1, { heading: 10, lng: -179.9999 }));
  pass(1_000);
  for (const { place } of shown) {
    assert.ok(place!.heading! >= 350 || place!.heading! <= 10, String(place!.heading));
    assert.ok(Math.abs(place!.lng) >= 179.9998 && Math.abs(place!.lng) <= 180, String(place!.lng));
  }
  markers.move("a", at(2, { lng: -179.9999 }));
  pass(1_000);
  assert.equal(shown.at(-1)!.place!.heading, 10);
});

test("an older position, and the same again, change nothing", () => {
  const { markers, shown, pass } = stage();
  markers.move("a", at(5));
  for (const position of [at(5, { lat: 1 }), at(4), at(9, { epoch: 0 })]) markers.move("a", position);
  pass(2_000);
  assert.equal(shown.length, 1);
});

test("2,000 runs of late, doubled and reordered positions: no frame backwards, and the end is the last", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const { below, is } = chance(seed);
      const { markers, shown, pass, still, last } = stage();
      // Each epoch is further north than all of the one before.
      const positions: Position[] = [];
      let [epoch, seq, measured, lat] = [1, 0, 0, 0];
      for (let n = 5 + below(30); n > 0; n--) {
        if (is(0.05)) [epoch, seq] = [epoch + 1, 0];
        measured += is(0.05) ? 40_000 : below(3_000);
        lat += below(100) / 1e5;
        positions.push({ epoch, seq: ++seq, lat, lng: 16, capturedAt: measured - below(500), heading: below(360) });
      }
      const told = positions.flatMap((position, n) => (is(0.2) ? [] : [n, ...(is(0.2) ? [n + below(8)] : [])].map((turn) => ({ turn, position }))));
      told.sort((a, b) => a.turn - b.turn);
      let newest: Position | undefined;
      for (const { position } of told) {
        still(is(0.1));
        markers.move("a", position);
        if (!newest || position.epoch > newest.epoch || (position.epoch === newest.epoch && position.seq > newest.seq)) newest = position;
        pass(below(2_000));
      }
      pass(2_000);
      for (let n = 1; n < shown.length; n++) assert.ok(shown[n]!.place!.lat >= shown[n - 1]!.place!.lat - 1e-12);
      if (newest) assert.equal(last()!.lat, newest.lat);
    }),
    { numRuns: 2_000 },
  );
});
