// The watch over the phone's position, and the turn of a user's tabs.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PhonePosition } from "../src/driver/sampling.ts";
import { type LocksLike, waitForTurn } from "../src/driver/tabs.ts";
import { createWatch, type PermissionsLike } from "../src/driver/watch.ts";
import { Browser, PlayedTime, position, settled, Tab } from "./support/driver-world.ts";

/** A geolocation that a test plays. */
function played(permissions?: PermissionsLike) {
  const time = new PlayedTime();
  const watches = new Map<number, { success: (position: PhonePosition) => void; error: (error: { code: number }) => void; options: PositionOptions }>();
  const taken: PhonePosition[] = [];
  const told: string[] = [];
  let ids = 0;
  const watch = createWatch(
    {
      clock: { now: () => time.now, wall: () => time.now, after: time.after.bind(time) },
      geolocation: {
        watchPosition(success, error, options) {
          watches.set(++ids, { success, error, options });
          return ids;
        },
        clearWatch: (id) => void watches.delete(id),
      },
      permissions,
    },
    (position) => taken.push(position),
    (permission) => told.push(permission),
  );
  const now = () => [...watches.values()].at(-1)!;
  return { time, watches, taken, told, watch, now };
}

test("it asks for exact and new positions, and ends when it is stopped", () => {
  const { watch, watches, taken, told, now } = played();
  assert.equal(watches.size, 0);
  watch.start();
  const { options, success } = now();
  assert.deepEqual(options, { enableHighAccuracy: true, maximumAge: 0 });
  success(position(0, 1));
  assert.deepEqual([taken.length, told], [1, ["granted"]]);
  watch.stop();
  assert.equal(watches.size, 0);
  success(position(0, 2));
  watch.check();
  watch.rearm();
  assert.deepEqual([taken.length, watches.size], [1, 0]);
});

test("it is armed again after 15 s without a position, and what passes does not end it", async () => {
  const { watch, watches, time, now, taken } = played();
  watch.start();
  const first = now();
  await time.pass(10_000);
  first.success(position(0, 1));
  await time.pass(14_999);
  first.error({ code: 2 });
  first.error({ code: 3 });
  watch.check();
  assert.equal(now(), first);
  await time.pass(1);
  watch.check();
  assert.notEqual(now(), first);
  assert.equal(watches.size, 1);
  // What the old one still says does not count.
  first.success(position(0, 2));
  assert.equal(taken.length, 1);
  watch.check();
  assert.equal(watches.size, 1);
});

test("a refusal is told, and nobody is asked again until the page is seen again", async () => {
  const { watch, time, now, told, taken } = played();
  watch.start();
  const first = now();
  first.error({ code: 1 });
  assert.deepEqual(told, ["denied"]);
  await time.pass(60_000);
  watch.check();
  assert.equal(now(), first);
  watch.rearm();
  assert.notEqual(now(), first);
  now().success(position(0, 1));
  assert.deepEqual([told, taken.length], [["denied", "granted"], 1]);
  await time.pass(15_000);
  const before = now();
  watch.check();
  assert.notEqual(now(), before);
});

test("a permission that comes back arms it at once", async () => {
  let changed = () => {};
  const status = { state: "granted", addEventListener: (_: "change", listener: () => void) => void (changed = listener) };
  const { watch, now, told } = played({ query: async () => status });
  watch.start();
  await settled();
  assert.deepEqual(told, ["granted"]);
  const first = now();
  status.state = "denied";
  changed();
  assert.equal(now(), first);
  status.state = "prompt";
  changed();
  assert.notEqual(now(), first);
  assert.deepEqual(told, ["granted", "denied", "prompt"]);
  watch.stop();
  watch.start();
  await settled();
  assert.equal(told.length, 3, "it listens once");
});

test("a browser that does not know the permission goes on without", async () => {
  const { watch, now, told } = played({ query: async () => Promise.reject(new TypeError("no")) });
  watch.start();
  await settled();
  now().success(position(0, 1));
  assert.deepEqual(told, ["granted"]);
});

/** Tabs that wait for their turn. */
function tabs(count: number) {
  const [browser, time] = [new Browser(), new PlayedTime()];
  return Array.from({ length: count }, () => {
    const tab = new Tab(browser, time);
    const state = { tab, mine: false, changes: 0, turn: undefined as unknown as ReturnType<typeof waitForTurn> };
    state.turn = waitForTurn(tab.locks, "turn", (mine) => {
      state.mine = mine;
      state.changes += 1;
    });
    return state;
  });
}

const mine = (all: { mine: boolean }[]) => all.map(({ mine }) => mine);

test("one tab has the turn; when it ends, the next one has it", async () => {
  const [a, b, c] = tabs(3) as [Turned, Turned, Turned];
  await settled();
  assert.deepEqual(mine([a, b, c]), [true, false, false]);
  a.turn.stop();
  await settled();
  await settled();
  assert.deepEqual(mine([a, b, c]), [false, true, false]);
  b.tab.kill();
  await settled();
  assert.deepEqual(mine([c]), [true]);
});

type Turned = ReturnType<typeof tabs>[number];

test("the tab that is looked at takes the turn, also from one that is frozen, which waits for it again", async () => {
  const [a, b] = tabs(2) as [Turned, Turned];
  await settled();
  b.turn.take();
  await settled();
  await settled();
  assert.deepEqual(mine([a, b]), [false, true]);
  b.turn.take();
  await settled();
  assert.equal(b.changes, 1);
  b.turn.stop();
  await settled();
  await settled();
  assert.deepEqual(mine([a, b]), [true, false]);
  a.turn.take();
  a.turn.stop();
  b.turn.take();
  await settled();
  assert.deepEqual(mine([a, b]), [false, false]);
});

test("where there are no locks, or the browser refuses them, each tab sends", async () => {
  const heard: boolean[] = [];
  const none = waitForTurn(undefined, "turn", (mine) => heard.push(mine));
  none.take();
  waitForTurn({ request: () => Promise.reject(new DOMException("no", "SecurityError")) }, "turn", (mine) => heard.push(mine));
  await settled();
  assert.deepEqual(heard, [true, true]);
});

test("the same with real locks", async () => {
  const real = Array.from({ length: 2 }, () => {
    const state = { mine: false, turn: undefined as unknown as ReturnType<typeof waitForTurn>, changed: () => {} };
    state.turn = waitForTurn(navigator.locks as LocksLike, "towline test", (mine) => {
      state.mine = mine;
      state.changed();
    });
    return state;
  });
  const [a, b] = real as [(typeof real)[number], (typeof real)[number]];
  const until = (state: typeof a, mine: boolean) =>
    new Promise<void>((resolve) => {
      state.changed = () => void (state.mine === mine && resolve());
      state.changed();
    });
  await until(a, true);
  b.turn.take();
  await Promise.all([until(a, false), until(b, true)]);
  b.turn.stop();
  await until(a, true);
  a.turn.take();
  a.turn.stop();
  assert.deepEqual(mine([a, b]), [false, false]);
  // And nobody has it: whoever asks next gets it.
  await (navigator as Navigator).locks.request("towline test", () => {});
});
