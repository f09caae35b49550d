import assert from "node:assert/strict";
import { fails, KEY, localAbly, presenceOf, soon, vanish } from "./support.ts";

const test = localAbly();

test("members enter, update and leave, and are listed", async ({ realtime, other, rest, name }) => {
  const channel = realtime({ key: KEY, clientId: "c" }).channels.get(name());
  const watcher = other({ key: KEY, clientId: "d" }).channels.get(channel.name);
  const events = await presenceOf(watcher);
  await channel.presence.enter({ v: 1 });
  await channel.presence.update({ v: 2 });
  await events.until(2);
  assert.deepEqual((await watcher.presence.get()).map((member) => member.data), [{ v: 2 }]);
  const { items } = await rest().channels.get(channel.name).presence.get();
  assert.deepEqual(items.map((item) => [item.action, item.clientId, item.data]), [["present", "c", { v: 2 }]]);
  await channel.presence.leave();
  await events.until(3);
  assert.deepEqual(events.all, ['enter:c:{"v":1}', 'update:c:{"v":2}', 'leave:c:{"v":2}']);
  assert.deepEqual(await watcher.presence.get(), []);
  const history = await rest().channels.get(channel.name).presence.history();
  assert.deepEqual(history.items.map((item) => item.action), ["leave", "update", "enter"]);
});

test("closing and detaching leave at once", async ({ realtime, other, name }) => {
  const watcher = other().channels.get(name());
  const events = await presenceOf(watcher);
  const client = realtime({ key: KEY, clientId: "c" });
  const channel = client.channels.get(watcher.name);
  await channel.presence.enter("1");
  await channel.detach();
  await events.until(2);
  await channel.presence.enter("2");
  client.close();
  await events.until(4);
  assert.deepEqual(events.all, ['enter:c:"1"', 'leave:c:"1"', 'enter:c:"2"', 'leave:c:"2"']);
});

test("a client without an identity of its own enters others, and one with its own does not", async ({ realtime, name }) => {
  const any = realtime().channels.get(name());
  await any.presence.enterClient("x1", "d1");
  await any.presence.enterClient("x2");
  assert.deepEqual((await any.presence.get()).map((member) => member.clientId).sort(), ["x1", "x2"]);
  const named = realtime({ key: KEY, clientId: "me" }).channels.get(any.name);
  await fails(named.presence.enterClient("foreign"), 40012);
});

test("many members are synced in pages, and there are 200 at most", async ({ realtime, other, rest, name }) => {
  const channel = realtime().channels.get(name());
  await channel.attach();
  const enter = (from: number, to: number) =>
    Promise.all(Array.from({ length: to - from }, (_, index) => channel.presence.enterClient(`m${from + index}`)));
  await enter(0, 150);
  assert.equal((await other().channels.get(channel.name).presence.get()).length, 150);
  const page = await rest().channels.get(channel.name).presence.get({ limit: 100 });
  const next = await page.next();
  assert.deepEqual([page.items.length, next?.items.length, next?.isLast()], [100, 50, true]);
  await enter(150, 200);
  await fails(channel.presence.enterClient("one too many"), 91003);
});

test("after an abrupt loss a member stays for as long as it asked", async ({ realtime, other, name }) => {
  const watcher = other().channels.get(name());
  const events = await presenceOf(watcher);
  const client = realtime({ key: KEY, clientId: "c", transportParams: { remainPresentFor: "1000" } });
  await client.channels.get(watcher.name).presence.enter();
  await events.until(1);
  const lost = Date.now();
  vanish(client);
  await events.until(2);
  assert(Date.now() - lost >= 1_000);
  assert.deepEqual(events.all, ["enter:c:undefined", "leave:c:undefined"]);
  assert.deepEqual(await soon(watcher.presence.get(), "members"), []);
});
