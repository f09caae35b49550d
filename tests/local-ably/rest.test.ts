import assert from "node:assert/strict";
import type * as Ably from "ably";
import { fails, inState, KEY, localAbly, messagesOf, SMALL_KEY } from "./support.ts";

const test = localAbly();

const dataOf = (page: Ably.PaginatedResult<{ data?: unknown }>) => page.items.map((item) => item.data);

/** All pages of a list, from one on. */
async function pagesFrom<T>(first: Ably.PaginatedResult<T>): Promise<T[][]> {
  const pages: T[][] = [];
  for (let page: Ably.PaginatedResult<T> | null = first; page; page = page.hasNext() ? await page.next() : null) {
    pages.push(page.items);
  }
  return pages;
}

test("one message and many are published, and read back as they were", async ({ realtime, rest, name }) => {
  const channel = name();
  const heard = await messagesOf(realtime().channels.get(channel));
  const publisher = rest().channels.get(channel);
  const bytes = Buffer.from([0, 128, 255]);
  await publisher.publish("text", "a");
  await publisher.publish([
    { name: "object", data: { a: [1, null] } },
    { name: "bytes", data: bytes, extras: { headers: { h: 1 } } },
    { name: "nothing" },
  ]);
  for (const messages of [await heard.until(4), (await publisher.history({ direction: "forwards" })).items]) {
    assert.deepEqual(messages.map((message) => message.name), ["text", "object", "bytes", "nothing"]);
    const [text, object, binary, nothing] = messages;
    assert.deepEqual([text?.data, object?.data, nothing?.data], ["a", { a: [1, null] }, undefined]);
    assert(bytes.equals(binary?.data));
    assert.deepEqual(binary?.extras, { headers: { h: 1 } });
  }
});

test("a publish carries parameters, such as the one that has it refused", async ({ rest, name }) => {
  const channel = rest().channels.get(name());
  await fails(channel.publish({ name: "n", data: "d" }, { _forceNack: "true" }), 40099);
  assert.deepEqual(dataOf(await channel.history()), []);
});

test("history is paged either way, and the first page is found again", async ({ rest, name }) => {
  const channel = rest().channels.get(name());
  for (const data of ["1", "2", "3", "4", "5"]) await channel.publish("n", data);
  const backwards = await pagesFrom(await channel.history({ limit: 2 }));
  assert.deepEqual(backwards.map((page) => page.map(({ data }) => data)), [["5", "4"], ["3", "2"], ["1"]]);
  const first = await channel.history({ limit: 2, direction: "forwards" });
  const second = await first.next();
  assert(second);
  assert.deepEqual(dataOf(second), ["3", "4"]);
  assert.deepEqual(dataOf(await second.current()), ["3", "4"]);
  assert.deepEqual(dataOf(await second.first()), ["1", "2"]);
  const last = await second.next();
  assert.deepEqual([last && dataOf(last), last?.hasNext(), last?.isLast()], [["5"], false, true]);
  await fails(channel.history({ limit: 1001 }), 40003);
});

test("history lies between start and end, and until the attach", async ({ realtime, rest, name }) => {
  const channel = name();
  const publisher = rest().channels.get(channel);
  await publisher.publish("n", "before");
  const attached = realtime().channels.get(channel);
  await attached.attach();
  const [before] = (await publisher.history({ limit: 1 })).items;
  const start = (before?.timestamp ?? 0) + 1;
  while ((await rest().time()) < start) await new Promise((resolve) => setImmediate(resolve));
  await publisher.publish("n", "after");
  assert.deepEqual(dataOf(await publisher.history({ start })), ["after"]);
  assert.deepEqual(dataOf(await publisher.history({ end: start - 1 })), ["before"]);
  assert.deepEqual(dataOf(await attached.history({ untilAttach: true })), ["before"]);
  assert.deepEqual(dataOf(await attached.history()), ["after", "before"]);
});

test("presence is read, filtered and paged, and so is its history", async ({ realtime, rest, name }) => {
  const channel = name();
  const { presence } = rest().channels.get(channel);
  const members = realtime().channels.get(channel);
  const names = ["a b", "a+b", "a,b", "a:b", "a&b"];
  for (const clientId of names) await members.presence.enterClient(clientId, { of: clientId });
  const pages = await pagesFrom(await presence.get({ limit: 2 }));
  assert.deepEqual(pages.map((page) => page.length), [2, 2, 1]);
  assert.deepEqual(new Set(pages.flat().map(({ clientId }) => clientId)), new Set(names));
  const [found, ...others] = (await presence.get({ clientId: "a b" })).items;
  assert.deepEqual([found?.action, found?.data, others], ["present", { of: "a b" }, []]);
  assert.equal((await presence.get({ connectionId: "nobody" })).items.length, 0);
  await members.presence.updateClient("a b", "new");
  await members.presence.leaveClient("a b");
  const events = (await pagesFrom(await presence.history({ direction: "forwards", limit: 3 }))).flat();
  const expected = [...names.map((clientId) => `enter:${clientId}`), "update:a b", "leave:a b"];
  assert.deepEqual(events.map(({ action, clientId }) => `${action}:${clientId}`), expected);
});

test("a channel's status counts who is there", async ({ realtime, rest, name }) => {
  const channel = name();
  await realtime().channels.get(channel).presence.enterClient("c");
  const { channelId, status } = await rest().channels.get(channel).status();
  const { connections, publishers, subscribers, presenceMembers } = status.occupancy.metrics;
  assert.deepEqual([channelId, status.isActive], [channel, true]);
  assert.deepEqual([connections, publishers, subscribers, presenceMembers], [1, 1, 1, 1]);
  const asked = (await rest().channels.get(name()).status()).status;
  assert.deepEqual([asked.isActive, asked.occupancy.metrics.connections], [true, 0]);
});

test("a batch is published, and tells what failed where", async ({ rest }) => {
  const client = rest({ key: SMALL_KEY });
  const messages = [{ name: "n", data: { a: 1 } }, { data: "2" }];
  const one = await client.batchPublish({ channels: ["talk:1", "news"], messages });
  assert.deepEqual([one.successCount, one.failureCount], [1, 1]);
  const [published, refused] = one.results;
  assert(published && "messageId" in published && published.messageId.includes(":0"));
  assert(refused && "error" in refused);
  assert.deepEqual([refused.channel, refused.error.code, refused.error.statusCode], ["news", 40160, 401]);
  const many = await client.batchPublish([
    { channels: ["talk:1"], messages: [{ data: "3" }] },
    { channels: ["talk:1", "talk:2"], messages: [{ data: "4" }] },
  ]);
  assert.deepEqual(many.map(({ successCount, failureCount }) => [successCount, failureCount]), [[1, 0], [2, 0]]);
  const history = await rest({ key: KEY }).channels.get("talk:1").history({ limit: 4, direction: "backwards" });
  // A batch is sent as it is given: what is an object there becomes JSON at the server.
  assert.deepEqual(dataOf(history), ["4", "3", "2", { a: 1 }]);
});

test("a batch is refused as a whole, and on one of its channels, where that was asked for", async ({ rest, fault, name }) => {
  const [one, other] = [name(), name()];
  const batch = [one, other].map((channel) => ({ channels: [channel], messages: [{ id: "once", data: "x" }] }));
  await fault({ kind: "error", code: 40009, status: 413, transport: "rest-batch", channel: one, times: 1 });
  await fault({ kind: "error", code: 42913, transport: "rest-part", channel: other, times: 1 });
  await fails(rest().batchPublish(batch), 40009);
  const [published, refused] = await rest().batchPublish(batch);
  assert.deepEqual([published?.successCount, refused?.successCount], [1, 0]);
  const [part] = refused?.results ?? [];
  assert(part && "error" in part);
  assert.deepEqual([part.channel, part.error.code, part.error.statusCode], [other, 42913, 429]);
  const again = await rest().batchPublish(batch);
  assert.deepEqual(again.map(({ successCount }) => successCount), [1, 1]);
  for (const channel of [one, other]) assert.deepEqual(dataOf(await rest().channels.get(channel).history()), ["x"]);
});

test("presence of several channels is read at once", async ({ realtime, rest }) => {
  const members = realtime();
  for (const channel of ["talk:1", "other"]) await members.channels.get(channel).presence.enterClient("c", channel);
  const answered = await rest({ key: SMALL_KEY }).batchPresence(["talk:1", "other", "talk:empty"]);
  // The package's types say that it is an array, which it is not.
  type Result = Ably.BatchResult<Ably.BatchPresenceSuccessResult | Ably.BatchPresenceFailureResult>;
  const { successCount, failureCount, results } = answered as unknown as Result;
  assert.deepEqual([successCount, failureCount], [2, 1]);
  const [there, refused, empty] = results;
  assert(there && "presence" in there && refused && "error" in refused && empty && "presence" in empty);
  const mine = there.presence.filter(({ connectionId }) => connectionId === members.connection.id);
  assert.deepEqual(mine.map(({ clientId, data }) => [clientId, data]), [["c", "talk:1"]]);
  assert.deepEqual([refused.channel, refused.error.code, empty.presence], ["other", 40160, []]);
});

test("time and statistics are read, and errors have their codes", async ({ rest, name }) => {
  const client = rest();
  const before = Date.now();
  const time = await client.time();
  assert(before <= time && time <= Date.now());
  assert.deepEqual((await client.stats({ unit: "hour" })).items, []);
  const elsewhere = await client.request("GET", "/nowhere", 6);
  assert.deepEqual([elsewhere.statusCode, elsewhere.errorCode, elsewhere.success], [404, 40400, false]);
  const channel = name();
  const posted = await client.request("POST", `/channels/${channel}/messages`, 6, undefined, { name: "n", data: "d" });
  assert.deepEqual([posted.statusCode, posted.success, posted.items[0].channel], [201, true, channel]);
  const read = await client.request("GET", `/channels/${channel}/messages`, 6, { limit: "1" });
  assert.deepEqual([read.statusCode, read.items[0].data], [200, "d"]);
  const listed = await client.request("GET", "/channels", 6, { prefix: channel });
  assert.deepEqual([listed.statusCode, listed.items], [200, [channel]]);
  const noKey = await client.request("GET", "/keys/AbCdEf.nosuch/requestToken", 6);
  assert.deepEqual([noKey.statusCode, noKey.errorCode], [404, 40400]);
  await fails(rest({ key: "AbCdEf.root:wrong" }).channels.get("a").publish("n", "d"), 40101);
  await fails(rest({ key: "AbCdEf.nosuch:x" }).channels.get("a").publish("n", "d"), 40400);
  await fails(client.channels.get("a").publish("n", "x".repeat(70_000)), 40009);
  await fails(client.channels.get(":bad").publish("n", "d"), 40010);
});

test("a client with an identity publishes as itself", async ({ rest, name }) => {
  const channel = rest({ key: KEY, clientId: "me" }).channels.get(name());
  await channel.publish("n", "d");
  await fails(channel.publish({ name: "n", clientId: "other" }), 40012);
  const [message] = (await channel.history()).items;
  assert.equal(message?.clientId, "me");
});

test("an app of one's own is made, used and removed", async ({ realtime, rest, url }) => {
  const body = JSON.stringify({ keys: [{}, { capability: '{"a":["subscribe"]}' }], namespaces: [], channels: [] });
  const response = await fetch(`${url}/apps`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(response.status, 201);
  const app = await response.json();
  const [first, second] = app.keys;
  const channel = realtime({ key: first.keyStr }).channels.get("a");
  const heard = await messagesOf(channel);
  await rest({ key: KEY }).channels.get("a").publish("n", "of another app");
  await rest({ key: first.keyStr }).channels.get("a").publish("n", "mine");
  assert.deepEqual((await heard.until(1)).map(({ data }) => data), ["mine"]);
  await fails(rest({ key: second.keyStr }).channels.get("a").publish("n", "d"), 40160);
  const authorization = `Basic ${Buffer.from(first.keyStr).toString("base64")}`;
  const removed = await fetch(`${url}/apps/${app.appId}`, { method: "DELETE", headers: { authorization } });
  assert.equal(removed.status, 204);
  await fails(rest({ key: first.keyStr }).channels.get("a").publish("n", "d"), 40101);
});

test("realtime and REST of one client see the same", async ({ realtime, name }) => {
  const client = realtime();
  await inState(client.connection, "connected");
  const channel = client.channels.get(name());
  await channel.publish("n", "d");
  assert.deepEqual(dataOf(await channel.history()), ["d"]);
});
