import assert from "node:assert/strict";
import { test } from "node:test";
import { goOnDuty, onDuty } from "../src/duty.ts";
import { FakeCore, settled } from "./support/fake-core.ts";

const member = (clientId: string, timestamp: number, data: unknown = { role: "driver", duty: "free" }, connectionId = "c1") => ({ clientId, connectionId, data, timestamp });

async function watched(channel?: string) {
  const core = new FakeCore();
  const store = onDuty(core, channel);
  let changes = 0;
  const leave = store.subscribe(() => void changes++);
  await settled();
  const presence = core.on(channel ?? "presence:dispatch");
  const ids = () => store.get().map(({ userId }) => userId);
  return { core, store, leave, presence, ids, changes: () => changes };
}

test("who is there, by role and duty and nothing else", async () => {
  const { core, store, presence, leave, changes } = await watched();
  presence.presence!([
    member("ben", 7, { role: "dispatcher", duty: "night", phone: "+43", lat: 48 }),
    member("ann", 5),
    member("eve", 5, "free"),
    member("kim", 5, { role: "driver" }),
    member("joe", 5, null),
  ]);
  assert.deepEqual(store.get(), [
    { userId: "ann", role: "driver", duty: "free", since: 5 },
    { userId: "ben", role: "dispatcher", duty: "night", since: 7 },
  ]);
  presence.presence!([member("ann", 5), member("ben", 7, { role: "dispatcher", duty: "night", phone: "+44" })]);
  assert.equal(changes(), 1, "what is no change is not told");
  presence.presence!([member("ann", 9, { role: "driver", duty: "busy" }), member("ben", 7, { role: "dispatcher", duty: "night" })]);
  assert.deepEqual(store.get()[0], { userId: "ann", role: "driver", duty: "busy", since: 5 });
  leave();
  await core.clock.pass(2_000);
  assert.deepEqual(store.get(), []);
  core.assertQuiet();
});

test("an absence under 30 s is not shown, and one of 30 s is", async () => {
  const { core, store, presence, ids, changes } = await watched("presence:dispatch:west");
  presence.presence!([member("ann", 5), member("ben", 5)]);
  presence.presence!([member("ben", 5)]);
  await core.clock.pass(29_000);
  assert.deepEqual(ids(), ["ann", "ben"]);
  presence.presence!([member("ann", 29_000, undefined, "c2"), member("ben", 5)]);
  await core.clock.pass(60_000);
  assert.deepEqual([ids(), changes(), store.get()[0]?.since], [["ann", "ben"], 1, 5]);
  presence.presence!([member("ben", 5)]);
  await core.clock.pass(10_000);
  presence.presence!([]);
  await core.clock.pass(19_900);
  assert.deepEqual(ids(), ["ann", "ben"]);
  await core.clock.pass(200);
  assert.deepEqual(ids(), ["ben"], "since it was first seen to be gone");
  await core.clock.pass(10_000);
  assert.deepEqual(ids(), []);
  presence.presence!([member("ann", 99_000)]);
  assert.equal(store.get()[0]?.since, 99_000);
});

test("over two connections: one person, who says what they have said last, and is there as long as one is", async () => {
  const { core, store, presence } = await watched();
  const [old, young] = [member("ann", 5, { role: "driver", duty: "free" }, "c1"), member("ann", 8, { role: "driver", duty: "busy" }, "c2")];
  presence.presence!([young, old]);
  assert.deepEqual(store.get(), [{ userId: "ann", role: "driver", duty: "busy", since: 5 }]);
  presence.presence!([old]);
  await core.clock.pass(60_000);
  assert.deepEqual(store.get(), [{ userId: "ann", role: "driver", duty: "free", since: 5 }]);
});

test("refused: nobody. Put away: nobody, until it is told anew", async () => {
  const { core, store, presence } = await watched();
  presence.presence!([member("ann", 5)]);
  presence.refused!(1);
  assert.deepEqual(store.get(), []);
  presence.presence!([member("ann", 5)]);
  core.page("erase");
  assert.deepEqual(store.get(), []);
  core.page("refresh");
  await settled();
  core.on("presence:dispatch").presence!([member("ann", 5)]);
  assert.equal(store.get().length, 1);
  core.page("stop");
  assert.deepEqual(store.get(), []);
  await core.clock.pass(60_000);
});

test("on duty, by role and duty and nothing else, until off", () => {
  const core = new FakeCore();
  const off = goOnDuty(core, { role: "driver", duty: "free", secret: "x" } as { role: string; duty: string });
  assert.deepEqual(core.entered, [{ channel: "presence:dispatch", data: { role: "driver", duty: "free" } }]);
  off();
  assert.deepEqual(core.entered, []);
  core.channels = undefined;
  goOnDuty(core, { role: "driver", duty: "free" })();
});

test("stream mode: nobody", async () => {
  const core = new FakeCore();
  core.channels = undefined;
  const leave = onDuty(core).subscribe(() => {});
  await settled();
  assert.deepEqual(onDuty(core).get(), []);
  leave();
  await core.clock.pass(2_000);
  core.assertQuiet();
});
