import assert from "node:assert/strict";
import { fails, inState, jwt, KEY, localAbly, messagesOf, presenceOf, settled, cut, vanish, soon } from "./support.ts";

const test = localAbly();

test("a client connects by key, pings, and closes", async ({ realtime }) => {
  const client = realtime();
  await inState(client.connection, "connected");
  assert.match(client.connection.id ?? "", /^[\w-]{10,12}$/);
  for (let n = 0; n < 5; n++) assert((await client.connection.ping()) > 0);
  client.close();
  await inState(client.connection, "closed");
});

test("bad credentials fail the connection with their code", async ({ realtime }) => {
  for (const [key, code] of [
    ["AbCdEf.root:wrong", 40101],
    ["NoSuch.root:wrong", 40101],
    ["AbCdEf.nokey:wrong", 40400],
  ] as const) {
    const client = realtime({ key });
    await inState(client.connection, "failed");
    assert.equal(client.connection.errorReason?.code, code);
  }
  const expired = realtime({ token: jwt({ exp: Date.now() / 1000 - 1 }) });
  await inState(expired.connection, "failed");
  assert.equal(expired.connection.errorReason?.code, 40171, "there is no means to renew it");
});

test("what is no token fails the connection by 40101, and nobody is asked for another", async ({ realtime, rest }) => {
  for (const text of ["Sdnurv_some_invalid_token_nkds9r7", "abcdef.nonsense", "invalid token"]) {
    const literal = realtime({ token: text });
    let asked = 0;
    const answered = realtime({ authCallback: (_params, callback) => callback(null, (asked++, text)) });
    for (const { connection } of [literal, answered]) {
      await inState(connection, "failed");
      assert.deepEqual([connection.errorReason?.code, connection.errorReason?.statusCode], [40101, 401], text);
    }
    assert.equal(asked, 1, text);
    await fails(rest({ token: text }).channels.get("a").publish("n", "d"), 40101);
    const connected = realtime();
    await inState(connected.connection, "connected");
    await fails(connected.auth.authorize(undefined, { token: text }), 40101);
    await inState(connected.connection, "failed");
  }
});

test("for a token whose record is gone a client asks for another, once", async ({ realtime, rest }) => {
  const gone = "AbCdEf.unheard-of";
  for (const [next, state] of [
    [jwt(), "connected"],
    [gone, "disconnected"],
  ] as const) {
    let asked = 0;
    const client = realtime({ authCallback: (_params, callback) => callback(null, asked++ === 0 ? gone : next) });
    await inState(client.connection, state);
    assert.equal(asked, 2, state);
  }
  const literal = realtime({ token: gone });
  await inState(literal.connection, "failed");
  assert.equal(literal.connection.errorReason?.code, 40171, "there is no means to renew it");
  await fails(rest({ token: gone }).channels.get("a").publish("n", "d"), 40171);
});

test("a connection that loses its socket resumes, loses nothing and doubles nothing", async ({ realtime, other, name }) => {
  const client = realtime({ key: KEY, clientId: "c" });
  const publisher = other().channels.get(name());
  const channel = client.channels.get(publisher.name);
  const messages = await messagesOf(channel);
  const events = await presenceOf(publisher);
  await channel.presence.enter("here");
  await events.until(1);
  await publisher.publish("n", "0");
  await messages.until(1);
  const { id, key } = client.connection;
  const resumed = new Promise<boolean>((resolve) => channel.once("attached", (change) => resolve(change.resumed)));
  cut(client);
  for (let index = 1; index < 10; index += 1) await publisher.publish("n", String(index));
  assert.equal(await soon(resumed, "attached again"), true);
  await publisher.publish("n", "10");
  await messages.until(11);
  await settled(client);
  assert.deepEqual(messages.all.map((message) => message.data), [...Array(11).keys()].map(String));
  assert.equal(client.connection.id, id);
  assert.notEqual(client.connection.key, key);
  assert.deepEqual(events.all, ['enter:c:"here"'], "nobody saw the member leave");
  assert.equal((await publisher.presence.get()).length, 1);
});

test("what was published as the socket was lost arrives once", async ({ realtime, other, name }) => {
  const reader = other().channels.get(name());
  const messages = await messagesOf(reader);
  const client = realtime();
  const channel = client.channels.get(reader.name);
  await channel.attach();
  const expected = [...Array(20).keys()].map(String);
  const published = expected.map((data) => channel.publish("n", data));
  setImmediate(() => cut(client));
  await soon(Promise.all(published), "all publishes are acknowledged");
  await messages.until(20);
  assert.deepEqual(messages.all.map((message) => message.data), expected);
});

test("a connection that is not known gets a new one and 80018", async ({ realtime }) => {
  const recover = JSON.stringify({ connectionKey: "nobody!knows", msgSerial: 3, channelSerials: {} });
  const client = realtime({ key: KEY, recover });
  await inState(client.connection, "connected");
  assert.equal(client.connection.errorReason?.code, 80018);
});

test("a connection is recovered by another client", async ({ realtime, rest, name }) => {
  const first = realtime();
  const channel = first.channels.get(name());
  const seen = await messagesOf(channel);
  const publisher = rest().channels.get(channel.name);
  await publisher.publish("n", "seen");
  await seen.until(1);
  const recover = await first.connection.createRecoveryKey();
  assert(recover);
  const { id } = first.connection;
  vanish(first);
  await publisher.publish("n", "missed");
  const second = realtime({ key: KEY, recover });
  const messages = await messagesOf(second.channels.get(channel.name));
  await messages.until(1);
  assert.equal(second.connection.id, id);
  assert.deepEqual(messages.all.map((message) => message.data), ["missed"]);
});

test("another identity cannot have a connection", async ({ realtime }) => {
  const client = realtime({ token: jwt({ "x-ably-clientId": "x" }), clientId: "x" });
  await inState(client.connection, "connected");
  assert.equal(client.auth.clientId, "x");
  await fails(client.auth.authorize(undefined, { token: jwt({ "x-ably-clientId": "y" }) }), 40102);
  await inState(client.connection, "failed");
});
