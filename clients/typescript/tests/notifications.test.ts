import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../src/client/types.ts";
import { notifications } from "../src/notifications.ts";
import { FakeCore, refused, settled } from "./support/fake-core.ts";

const one = (id: string) => ({ id, type: "quote.sent", entityId: "quote-7", version: 3, ts: 9 });

test("the newest by id, each once and no more than it has; and whether some may be missed", async () => {
  const core = new FakeCore();
  const store = notifications(core);
  assert.equal(notifications(core), store, "one for all");
  const seen = new Set<unknown>();
  const leave = store.subscribe(() => void seen.add(store.get()));
  await settled();
  const channel = core.on("notifications:user:ann");
  assert.deepEqual(store.get(), { items: [], missed: 0 });
  channel.attached!(false, 1);
  assert.deepEqual(store.get(), { items: [], missed: 1 });
  channel.message!("notification", { ...one("a"), text: "not of ours" }, 1);
  channel.message!("notification", one("b"), 1);
  const held = store.get();
  channel.message!("notification", one("a"), 1);
  for (const data of [null, "x", { ...one("c"), version: "3" }, { ...one("c"), id: undefined }]) channel.message!("notification", data, 1);
  channel.message!("other", one("d"), 1);
  channel.attached!(true, 1);
  assert.equal(store.get(), held);
  assert.deepEqual(held, { items: [one("b"), one("a")], missed: 1 });
  channel.attached!(false, 1);
  assert.deepEqual([store.get().missed, store.get().items.length], [2, 2]);
  for (let count = 0; count < 150; count++) channel.message!("notification", one(`n${count}`), 1);
  assert.deepEqual([store.get().items.length, store.get().items[0]?.id, store.get().items[99]?.id], [100, "n149", "n50"]);
  core.page("erase");
  assert.deepEqual(store.get(), { items: [], missed: 2 });
  core.page("refresh");
  await settled();
  core.on("notifications:user:ann").attached!(false, 1);
  assert.deepEqual(store.get(), { items: [], missed: 3 });
  leave();
  await core.clock.pass(2_000);
  core.assertQuiet();
});

test("whose they are is asked for where no session has said it yet", async () => {
  const core = new FakeCore();
  core.name = undefined;
  const leave = notifications(core).subscribe(() => {});
  await settled();
  assert.deepEqual([core.asks.map(({ path }) => path), core.listened.size], [["/api/jobs?mine"], 0]);
  await core.clock.pass(1_000);
  core.answer = () => {
    core.name = "ben";
    return refused("no_own_jobs");
  };
  await core.clock.pass(30_000);
  core.on("notifications:user:ben");
  const asked = core.asks.length;
  await core.clock.pass(60_000);
  assert.equal(core.asks.length, asked);
  leave();
  await core.clock.pass(2_000);
  core.assertQuiet();
});

test("who leaves while it is asked for leaves nothing behind", async () => {
  const core = new FakeCore();
  core.name = undefined;
  let answer: ((answer: Answer<unknown>) => void) | undefined;
  core.answer = () => new Promise((resolve) => (answer = resolve));
  const leave = notifications(core).subscribe(() => {});
  await settled();
  leave();
  await core.clock.pass(2_000);
  core.name = "ben";
  answer!(refused("no_own_jobs"));
  await core.clock.pass(60_000);
  core.assertQuiet();
});

test("stream mode: none, and each refresh may have missed some", async () => {
  const core = new FakeCore();
  core.channels = undefined;
  const store = notifications(core);
  const leave = store.subscribe(() => {});
  await settled();
  assert.deepEqual(store.get(), { items: [], missed: 1 });
  core.page("refresh");
  assert.deepEqual(store.get(), { items: [], missed: 2 });
  leave();
  await core.clock.pass(2_000);
  core.assertQuiet();
});
