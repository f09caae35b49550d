// What a client of the real SDK sees of limits.

import assert from "node:assert/strict";
import type { ChannelStateChange, ClientOptions } from "ably";
import { fails, inState, Inbox, KEY, localAbly, messagesOf, soon } from "./support.ts";

const onPro = localAbly("--limits", "pro");
const onFree = localAbly("--limits", "free");

const many = (count: number) => Array.from({ length: count }, () => ({ data: "" }));

onPro("a client that receives too much stays attached, keeps its members and is told", async ({ realtime, rest, name }) => {
  const [full, quiet] = [name(), name()];
  await realtime().channels.get(quiet).presence.enterClient("member");
  const reader = realtime();
  const flood = await messagesOf(reader.channels.get(full));
  const channel = reader.channels.get(quiet);
  const received = await messagesOf(channel);
  assert.deepEqual((await channel.presence.get()).map((member) => member.clientId), ["member"]);
  const updates = new Inbox<ChannelStateChange>();
  channel.on("update", updates.push);
  const left = new Inbox<unknown>();
  await channel.presence.subscribe("leave", left.push);
  await rest().channels.get(full).publish(many(500));
  await flood.until(500);
  await rest().channels.get(quiet).publish("lost", "x");
  const [update] = await updates.until(1);
  assert.deepEqual([update?.current, update?.resumed, update?.reason?.code], ["attached", false, 80020]);
  assert.deepEqual((await channel.presence.get()).map((member) => member.clientId), ["member"]);
  assert.equal(channel.state, "attached");
  assert.deepEqual([received.all, left.all], [[], []]);
  const history = await channel.history({ untilAttach: true });
  assert.deepEqual(history.items.map((message) => message.data), ["x"]);
});

onPro("a client that publishes far too much is failed with 42921", async ({ realtime, name }) => {
  const client = realtime();
  await inState(client.connection, "connected");
  const channel = client.channels.get(name());
  const publishes = Array.from({ length: 5 }, () => channel.publish(many(1_000)));
  const outcomes = Promise.allSettled(publishes);
  await inState(client.connection, "failed");
  assert.equal(client.connection.errorReason?.code, 42921);
  await soon(outcomes, "answers");
  client.connect();
  await inState(client.connection, "connected");
});

onFree("channels that are made too fast are suspended, and attached as soon as that is allowed", async ({ realtime, name }) => {
  const client = realtime({ key: KEY, channelRetryTimeout: 200 } as ClientOptions);
  await inState(client.connection, "connected");
  const channels = Array.from({ length: 150 }, () => client.channels.get(name()));
  const attached = await Promise.allSettled(channels.map((channel) => channel.attach()));
  const refused = attached.findIndex((outcome) => outcome.status === "rejected");
  const channel = channels[refused];
  assert(channel, "every channel was made at once");
  await fails(Promise.reject((attached[refused] as PromiseRejectedResult).reason), 90021);
  await inState(channel, "attached");
  assert.equal(client.connection.state, "connected");
});
