import assert from "node:assert/strict";
import type * as Ably from "ably";
import { fails, Inbox, KEY, localAbly, messagesOf, settled } from "./support.ts";

const test = localAbly();

test("all kinds of data pass between the formats and into the history", async ({ realtime, other, name }) => {
  const client = realtime({ key: KEY, clientId: "me" });
  const channel = client.channels.get(name());
  const inboxes = [await messagesOf(channel), await messagesOf(other().channels.get(channel.name))];
  const { serials } = await channel.publish("object", { x: [1, null, "ü"] });
  assert.equal(serials.length, 1);
  await channel.publish("bytes", Buffer.from([0, 255, 1]));
  await channel.publish("text", "text");
  await channel.publish("empty", "");
  await channel.publish("null", null);
  await channel.publish({ name: "extras", data: "x", extras: { headers: { a: 1 } } });
  await channel.publish([{ name: "first" }, { name: "second", data: [1] }]);
  for (const inbox of inboxes) await inbox.until(8);
  const history = (await channel.history({ direction: "forwards" })).items;
  for (const messages of [...inboxes.map((inbox) => inbox.all), history]) {
    const data = messages.map((message) => (Buffer.isBuffer(message.data) ? [...message.data] : message.data));
    assert.deepEqual(data, [{ x: [1, null, "ü"] }, [0, 255, 1], "text", "", undefined, "x", undefined, [1]]);
    assert.deepEqual(messages[5]?.extras, { headers: { a: 1 } });
    for (const message of messages) {
      assert.equal(message.clientId, "me");
      assert.equal(message.connectionId, client.connection.id);
      assert.equal(message.action, "message.create");
      assert(message.serial && message.timestamp && message.id);
    }
  }
});

test("without echo a client does not hear itself", async ({ realtime, name }) => {
  const client = realtime({ key: KEY, echoMessages: false });
  const channel = client.channels.get(name());
  const messages = await messagesOf(channel);
  await channel.publish("n", "d");
  await settled(client);
  assert.deepEqual(messages.all, []);
});

test("encrypted messages are deciphered by those who have the key", async ({ realtime, other, name }) => {
  const client = realtime();
  const key = Buffer.alloc(16, 7);
  const writer = client.channels.get(name(), { cipher: { key } });
  const reader = other().channels.get(writer.name, { cipher: { key } });
  const messages = await messagesOf(reader);
  await writer.publish("n", { secret: true });
  await messages.until(1);
  assert.deepEqual(messages.all[0]?.data, { secret: true });
  const raw = await messagesOf(client.channels.get(`[?rewind=1]${writer.name}`));
  await raw.until(1);
  assert.equal(raw.all[0]?.encoding, "json/utf-8/cipher+aes-128-cbc");
});

test("a publish that is sent again arrives once", async ({ realtime, rest, name }) => {
  const channel = rest().channels.get(name());
  const messages = await messagesOf(realtime().channels.get(channel.name));
  for (let time = 0; time < 2; time += 1) {
    await channel.publish({ id: "mine", name: "n", data: { a: 1 } });
    await channel.publish([{ id: "b:0", name: "0" }, { id: "b:1", name: "1" }]);
  }
  await channel.publish("last", "d");
  await messages.until(4);
  assert.deepEqual(messages.all.slice(0, 3).map((message) => message.id), ["mine", "b:0", "b:1"]);
  assert.equal(messages.all[3]?.name, "last");
  await fails(channel.publish([{ id: "b:0" }, { id: "c:1" }]), 40031);
});

test("a publish that is too large or by somebody else is refused", async ({ realtime, rest, name }) => {
  const channel = rest().channels.get(name());
  await fails(channel.publish("n", "x".repeat(70_000)), 40009);
  await fails(channel.publish({ name: "n", clientId: "*" }), 40012);
  const named = realtime({ key: KEY, clientId: "me" }).channels.get(channel.name);
  await fails(named.publish({ name: "n", clientId: "you" }), 40012);
});

test("messages are updated, deleted and appended to", async ({ realtime, rest, name }) => {
  const channel = realtime().channels.get(name("mutable"));
  const messages = await messagesOf(channel);
  const { serials } = await channel.publish("n", "Hello");
  const serial = serials[0] ?? "";
  const operation = { clientId: "editor", description: "why", metadata: { reason: "test" } };
  const appended = await channel.appendMessage({ serial, data: " World" } as Ably.Message, operation);
  const updated = await channel.updateMessage({ serial, data: { v: 2 } } as Ably.Message, operation);
  const deleted = await channel.deleteMessage({ serial, data: {} } as Ably.Message, operation);
  await messages.until(4);
  const [, append, update, deletion] = messages.all;
  assert.deepEqual(
    messages.all.map((message) => [message.action, message.name, message.data]),
    [
      ["message.create", "n", "Hello"],
      ["message.append", "n", " World"],
      ["message.update", "n", { v: 2 }],
      ["message.delete", "n", {}],
    ],
  );
  for (const [message, result] of [[append, appended], [update, updated], [deletion, deleted]] as const) {
    assert.equal(message?.serial, serial);
    assert.equal(message.version.serial, result.versionSerial);
    assert.equal(message.version.clientId, "editor");
    assert.equal(message.version.description, "why");
    assert.deepEqual(message.version.metadata, { reason: "test" });
  }
  const overRest = rest().channels.get(channel.name);
  const now = await overRest.getMessage(serial);
  assert.deepEqual([now.action, now.name, now.data], ["message.delete", "n", {}]);
  const versions = (await overRest.getMessageVersions(serial)).items;
  assert.deepEqual(
    versions.map((version) => [version.action, version.data]),
    [
      ["message.create", "Hello"],
      ["message.update", "Hello World"],
      ["message.update", { v: 2 }],
      ["message.delete", {}],
    ],
  );
  const again = await overRest.updateMessage({ serial, data: "back" } as Ably.Message);
  assert(again.versionSerial && again.versionSerial > (deleted.versionSerial ?? ""));
  await messages.until(5);
  assert.equal(messages.all[4]?.data, "back");
});

test("an append is whole to whoever looks back", async ({ realtime, name }) => {
  const channel = realtime().channels.get(name("mutable"));
  const { serials } = await channel.publish("n", "a");
  const serial = serials[0] ?? "";
  for (const data of ["b", "c"]) await channel.appendMessage({ serial, data } as Ably.Message);
  const rewound = await messagesOf(realtime().channels.get(channel.name, { params: { rewind: "1" } }));
  await rewound.until(1);
  const [history] = (await channel.history()).items;
  for (const message of [rewound.all[0], history]) {
    assert.deepEqual([message?.action, message?.data], ["message.update", "abc"]);
  }
});

test("an append is whole to whoever asks for appends in full", async ({ realtime, name }) => {
  const channel = realtime().channels.get(name("mutable"), { params: { appendMode: "full" } });
  const messages = await messagesOf(channel);
  assert.deepEqual(channel.params, { appendMode: "full" });
  const { serials } = await channel.publish("n", "a");
  const versions = [serials[0]];
  for (const data of ["b", "c"]) {
    const { versionSerial } = await channel.appendMessage({ serial: serials[0], data } as Ably.Message);
    versions.push(versionSerial ?? "");
  }
  await messages.until(3);
  assert.deepEqual(
    messages.all.map((message) => [message.action, message.data]),
    [
      ["message.create", "a"],
      ["message.update", "ab"],
      ["message.update", "abc"],
    ],
  );
  assert.deepEqual(messages.all.map((message) => message.version.serial), versions);
});

test("a rewind that is set while the channel attaches brings the last message, one set later does not", async ({
  realtime,
  name,
}) => {
  const channel = realtime().channels.get(name());
  await channel.publish("n", "before");
  const messages = new Inbox<Ably.InboundMessage>();
  void channel.subscribe((message) => messages.push(message));
  await channel.setOptions({ params: { rewind: "1" } });
  await messages.until(1);
  await channel.setOptions({ params: { rewind: "2" } });
  await channel.publish("n", "after");
  await messages.until(2);
  assert.deepEqual(messages.all.map((message) => message.data), ["before", "after"]);
});

test("changes need a namespace that has them", async ({ realtime, name }) => {
  const channel = realtime().channels.get(name());
  const { serials } = await channel.publish("n", "d");
  await fails(channel.updateMessage({ serial: serials[0], data: "x" } as Ably.Message), 93002);
  await fails(channel.annotations.publish(serials[0] ?? "", { type: "r:total.v1" }), 93002);
});

test("messages are annotated and the annotations summed up", async ({ realtime, rest, name }) => {
  const client = realtime({ key: KEY, clientId: "me" });
  const modes: Ably.ChannelMode[] = ["PUBLISH", "SUBSCRIBE", "ANNOTATION_PUBLISH", "ANNOTATION_SUBSCRIBE"];
  const channel = client.channels.get(name("mutable"), { modes });
  const messages = await messagesOf(channel);
  const annotations = new Inbox<Ably.Annotation>();
  await channel.annotations.subscribe(annotations.push);
  await channel.publish("n", "d");
  await messages.until(1);
  const message = messages.all[0];
  assert(message?.serial);
  await channel.annotations.publish(message, { type: "reaction:distinct.v1", name: "👍" });
  const overRest = rest({ key: KEY, clientId: "restful" }).channels.get(channel.name);
  await overRest.annotations.publish(message, { type: "reaction:distinct.v1", name: "👍", data: { a: 1 } });
  await annotations.until(2);
  await messages.until(3);
  assert.deepEqual(
    annotations.all.map((one) => [one.action, one.type, one.name, one.clientId, one.messageSerial]),
    ["me", "restful"].map((who) => ["annotation.create", "reaction:distinct.v1", "👍", who, message.serial]),
  );
  assert.deepEqual(annotations.all[1]?.data, { a: 1 });
  const summary = messages.all[2];
  assert.deepEqual([summary?.action, summary?.serial], ["message.summary", message.serial]);
  assert.deepEqual(summary?.annotations.summary["reaction:distinct.v1"], {
    "👍": { total: 2, clientIds: ["me", "restful"], clipped: false },
  });
  await channel.annotations.delete(message, { type: "reaction:distinct.v1", name: "👍" });
  await messages.until(4);
  assert.deepEqual(messages.all[3]?.annotations.summary["reaction:distinct.v1"], {
    "👍": { total: 1, clientIds: ["restful"], clipped: false },
  });
  const listed = (await channel.annotations.get(message, {})).items;
  assert.deepEqual(listed.map((one) => one.action), ["annotation.create", "annotation.create", "annotation.delete"]);
});
