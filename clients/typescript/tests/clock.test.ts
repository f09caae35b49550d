// The clock that a page has by itself.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { platform } from "../src/client/platform.ts";

/** Both clocks of a device, and what ours makes of them. */
function device(t: TestContext) {
  let [ran, wall] = [5_000, 1_800_000_000_000];
  t.mock.method(performance, "now", () => ran);
  t.mock.method(Date, "now", () => wall);
  const { now } = platform().clock;
  return {
    now,
    /** So much time passes by each. */
    pass(runs: number, walls: number) {
      ran += runs;
      wall += walls;
      return now();
    },
  };
}

test("time that was slept through counts; a clock that is set back does not", (t) => {
  const { now, pass } = device(t);
  const began = now();
  assert.equal(pass(300, 300) - began, 300);
  assert.equal(pass(10, 3_600_000) - began, 3_600_300);
  assert.equal(pass(50, -7_200_000) - began, 3_600_350);
  assert.equal(pass(1_000, 1_000) - began, 3_601_350);
});

test("what is to come in a month, or never, does not come at once", async () => {
  const { clock } = platform();
  const called: number[] = [];
  const cancel = [3e9, Infinity].map((ms) => clock.after(ms, () => called.push(ms)));
  await new Promise<void>((done) => void clock.after(20, done));
  for (const call of cancel) call();
  assert.deepEqual(called, []);
});

test("it never goes back, stands still or runs ahead, however often it is read", (t) => {
  const { now, pass } = device(t);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.double({ min: 0.001, max: 900, noNaN: true }), fc.integer({ min: -2, max: 2 }))), (steps) => {
      const began = now();
      let [last, sum] = [began, 0];
      for (const [runs, jitter] of steps) {
        const next = pass(runs, Math.round(runs) + jitter);
        assert.ok(next > last);
        last = next;
        sum += runs;
      }
      assert.ok(Math.abs(last - began - sum) < 1);
    }),
  );
});
