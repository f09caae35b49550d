import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { oneAtATime } from "../../scripts/setup/one-at-a-time.mjs";

function lock(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "towline-lock-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "not there yet", "at-work");
}

/** Something that stays at work until it is told to end. */
function work() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  return { begun: begun.promise, end: resolve, run: () => (begun.resolve(), promise) };
}

test("who comes later waits, is told so once, and has its turn", async (t) => {
  const path = lock(t);
  const [first, second] = [work(), work()];
  const told: string[] = [];
  const one = oneAtATime(path, first.run, () => told.push("first"));
  await first.begun;
  const waits = Promise.withResolvers<void>();
  const other = oneAtATime(path, second.run, () => (told.push("second"), waits.resolve()));
  await waits.promise;
  const order: string[] = [];
  void second.begun.then(() => order.push("second begins"));
  order.push("first ends");
  first.end();
  await one;
  await second.begun;
  second.end();
  await other;
  assert.deepEqual(order, ["first ends", "second begins"]);
  assert.deepEqual(told, ["second"]);
  assert.equal(existsSync(path), false);
});

test("work that fails does not keep others from theirs", async (t) => {
  const path = lock(t);
  await assert.rejects(oneAtATime(path, () => Promise.reject(new Error("out of luck"))), /out of luck/);
  let done = false;
  await oneAtATime(path, async () => void (done = true));
  assert.ok(done);
});

test("who was killed at work does not keep others from theirs", async (t) => {
  const path = lock(t);
  await oneAtATime(path, async () => {});
  writeFileSync(path, "");
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(path, longAgo, longAgo);
  let done = false;
  await oneAtATime(path, async () => void (done = true));
  assert.ok(done);
});
