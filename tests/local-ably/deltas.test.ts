import assert from "node:assert/strict";
import { decode } from "@ably/vcdiff-decoder";
import type * as Ably from "ably";
import { Inbox, KEY, localAbly, messagesOf, settled } from "./support.ts";

const test = localAbly();

/** The decoder that ably-js takes as its plugin, which counts, and fails when it is told to. */
class Decoder {
  calls = 0;
  fails: (call: number) => boolean;

  constructor(fails: (call: number) => boolean = () => false) {
    this.fails = fails;
  }

  decode = (delta: Uint8Array, base: Uint8Array): Uint8Array => {
    this.calls += 1;
    if (this.fails(this.calls)) throw new Error("told to fail");
    return decode(delta, base);
  };

  get options(): Ably.ClientOptions {
    return { key: KEY, plugins: { vcdiff: this } } as Ably.ClientOptions;
  }
}

const DELTA = { params: { delta: "vcdiff" } };

/** What a vehicle sends: little of it is new each time. */
const position = (n: number) => ({ vehicle: "V-17", latitude: 52.37 + n / 1e4, longitude: 4.89, load: ["ü", null] });
const POSITIONS = [0, 1, 2, 3, 4, 5].map(position);

/** The reasons of the times that a channel attached again. */
function reattached(channel: Ably.RealtimeChannel): Inbox<number | undefined> {
  const inbox = new Inbox<number | undefined>();
  channel.on("attaching", (change) => inbox.push(change.reason?.code));
  return inbox;
}

const dataOf = (messages: Ably.InboundMessage[]) => messages.map((message) => message.data);

test("a channel with delta decodes each message but the first, one without none", async ({ realtime, other, name }) => {
  const decoders = [new Decoder(), new Decoder(), new Decoder()] as const;
  const channel = realtime(decoders[0].options).channels.get(name(), DELTA);
  const inboxes = [
    await messagesOf(channel),
    await messagesOf(other(decoders[1].options).channels.get(channel.name, DELTA)),
    await messagesOf(realtime(decoders[2].options).channels.get(channel.name)),
  ];
  const again = reattached(channel);
  for (const data of POSITIONS) await channel.publish("position", data);
  for (const inbox of inboxes) assert.deepEqual(dataOf(await inbox.until(POSITIONS.length)), POSITIONS);
  assert.deepEqual(
    decoders.map((decoder) => decoder.calls),
    [5, 5, 0],
  );
  assert.deepEqual(again.all, []);
  assert.deepEqual(dataOf((await channel.history({ direction: "forwards" })).items), POSITIONS);
});

test("objects, texts and bytes are deltas against each other", async ({ realtime, rest, name }) => {
  const decoder = new Decoder();
  const channel = realtime(decoder.options).channels.get(name(), DELTA);
  const messages = await messagesOf(channel);
  const bytes = Buffer.from([0, 255, 254, ...Buffer.from(JSON.stringify(position(1))), 128]);
  const sent = [position(0), JSON.stringify(position(0)), bytes, Buffer.concat([bytes, bytes]), position(2)];
  const publisher = rest().channels.get(channel.name);
  for (const data of sent) await publisher.publish("n", data);
  assert.deepEqual(dataOf(await messages.until(sent.length)), sent);
  assert.equal(decoder.calls, sent.length - 1);
});

test("each of several messages of one publish is a delta", async ({ realtime, name }) => {
  const decoder = new Decoder();
  const channel = realtime(decoder.options).channels.get(name(), DELTA);
  const messages = await messagesOf(channel);
  await channel.publish(POSITIONS.slice(0, 3).map((data) => ({ data })));
  await channel.publish(POSITIONS.slice(3).map((data) => ({ data, extras: { headers: { a: 1 } } })));
  assert.deepEqual(dataOf(await messages.until(POSITIONS.length)), POSITIONS);
  assert.equal(decoder.calls, POSITIONS.length - 1);
  assert.deepEqual(messages.all[5]?.extras.headers, { a: 1 });
});

test("what has nothing in common, and what is encrypted, comes whole", async ({ realtime, other, name }) => {
  const decoder = new Decoder();
  const cipher = { key: Buffer.alloc(16, 7) };
  const channel = realtime(decoder.options).channels.get(name(), { ...DELTA, cipher });
  const messages = await messagesOf(channel);
  const plain = other().channels.get(channel.name);
  const sent = ["", "a", undefined, "b".repeat(60), "c".repeat(60)];
  for (const data of sent) await plain.publish("n", data);
  for (const data of POSITIONS) await channel.publish("n", data);
  assert.deepEqual(dataOf(await messages.until(11)), [...sent, ...POSITIONS]);
  assert.equal(decoder.calls, 0);
});

test("a client whose decoder fails once recovers and goes on with deltas", async ({ realtime, name }) => {
  const decoder = new Decoder((call) => call === 2);
  const channel = realtime(decoder.options).channels.get(name(), DELTA);
  const messages = await messagesOf(channel);
  const again = reattached(channel);
  for (const data of POSITIONS) await channel.publish("n", data);
  assert.deepEqual(dataOf(await messages.until(POSITIONS.length)), POSITIONS);
  assert.deepEqual(again.all, [40018]);
  // The third message failed, came again whole, and the three after it as deltas.
  assert.equal(decoder.calls, 5);
});

test("a client whose decoder always fails gets every message, once and in order", async ({ realtime, name }) => {
  const client = realtime(new Decoder(() => true).options);
  const channel = client.channels.get(name(), DELTA);
  const messages = await messagesOf(channel);
  const again = reattached(channel);
  await Promise.all(POSITIONS.map((data) => channel.publish("n", data)));
  await messages.until(POSITIONS.length);
  await settled(client);
  assert.deepEqual(dataOf(messages.all), POSITIONS);
  assert(again.all.length > 0 && again.all.every((code) => code === 40018));
});

test("a client that has lost the message before recovers", async ({ realtime, name }) => {
  const decoder = new Decoder();
  const channel = realtime(decoder.options).channels.get(name(), DELTA);
  const messages = await messagesOf(channel);
  const again = reattached(channel);
  await channel.publish("n", position(0));
  await messages.until(1);
  (channel as unknown as { _lastPayload: { messageId: null } })._lastPayload.messageId = null;
  for (const data of POSITIONS.slice(1)) await channel.publish("n", data);
  assert.deepEqual(dataOf(await messages.until(POSITIONS.length)), POSITIONS);
  assert.deepEqual(again.all, [40018]);
  assert.equal(decoder.calls, POSITIONS.length - 2);
});

test("without the plugin a channel with delta fails with 40019", async ({ realtime, name }) => {
  const channel = realtime().channels.get(name(), DELTA);
  await messagesOf(channel);
  const failed = new Inbox<number | undefined>();
  channel.on("failed", (change) => failed.push(change.reason?.code));
  for (const data of POSITIONS.slice(0, 2)) await channel.publish("n", data).catch(() => {});
  assert.deepEqual(await failed.until(1), [40019]);
});

test("rewound messages are deltas against each other, and the first is whole", async ({ realtime, rest, name }) => {
  const decoder = new Decoder();
  const publisher = rest().channels.get(name());
  for (const data of POSITIONS.slice(0, 4)) await publisher.publish("n", data);
  const params = { delta: "vcdiff", rewind: "3" };
  const messages = await messagesOf(realtime(decoder.options).channels.get(publisher.name, { params }));
  for (const data of POSITIONS.slice(4)) await publisher.publish("n", data);
  assert.deepEqual(dataOf(await messages.until(5)), POSITIONS.slice(1));
  assert.equal(decoder.calls, 4);
});

test("changes of a message are whole among deltas", async ({ realtime, name }) => {
  const decoder = new Decoder();
  const channel = realtime(decoder.options).channels.get(name("mutable"), DELTA);
  const messages = await messagesOf(channel);
  const again = reattached(channel);
  await channel.publish("n", position(0));
  const [first] = await messages.until(1);
  assert(first);
  await channel.updateMessage({ serial: first.serial, data: position(1) });
  await channel.publish("n", position(2));
  await channel.publish("n", position(3));
  assert.deepEqual(dataOf(await messages.until(4)), POSITIONS.slice(0, 4));
  const actions = messages.all.map((message) => message.action);
  assert.deepEqual(actions, ["message.create", "message.update", "message.create", "message.create"]);
  assert.equal(decoder.calls, 2);
  assert.deepEqual(again.all, []);
});
