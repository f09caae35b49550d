// Requests that are made again and again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { repeated } from "../src/live/repeat.ts";
import { FakeCore, settled, throws } from "./support/fake-core.ts";

test("what is thrown is reported, and asked again more and more slowly", async (t) => {
  const thrown = throws(t);
  const { clock, visible } = new FakeCore();
  const times: number[] = [];
  let isMended = false;
  const asks = repeated({ clock, visible }, async () => {
    times.push(clock.now());
    if (!isMended) throw new Error("a bug");
    return undefined;
  });
  asks.now();
  await clock.pass(1_000);
  assert.ok(times.length >= 2, `${times}`);
  await clock.pass(120_000);
  assert.ok(times.length >= 7 && times.length <= 13, `${times.length}`);
  assert.deepEqual(thrown, times.map(() => "a bug"));
  isMended = true;
  asks.now();
  await settled();
  assert.equal(clock.waiting, 0);
});

test("what is due while the page is not seen waits until it is; what is wanted is asked at once", async () => {
  const { clock, visible } = new FakeCore();
  let asked = 0;
  const asks = repeated({ clock, visible }, async () => (asked++, 1_000));
  visible.set(false);
  asks.now();
  await clock.pass(3_600_000);
  assert.equal(asked, 1);
  asks.now();
  await settled();
  visible.set(true);
  await settled();
  assert.equal(asked, 2, "not due yet");
  visible.set(false);
  await clock.pass(3_600_000);
  visible.set(true);
  await settled();
  assert.equal(asked, 3);
  await clock.pass(1_000);
  assert.equal(asked, 4);
  asks.stop();
  assert.deepEqual([clock.waiting, visible.listeners.size], [0, 0]);
});
