import assert from "node:assert/strict";
import type * as Ably from "ably";
import { able, fails, inState, localAbly, messagesOf, renewing, SMALL_KEY, soon } from "./support.ts";

const test = localAbly();

test("a token is requested, and does what it may", async ({ realtime, rest }) => {
  const client = rest();
  const capability: Record<string, Ably.capabilityOp[]> = { a: ["subscribe", "publish"] };
  const details = await client.auth.requestToken({ clientId: "bob", capability, ttl: 60_000 });
  assert.deepEqual([details.clientId, details.expires - details.issued], ["bob", 60_000]);
  const connected = realtime({ tokenDetails: details });
  await inState(connected.connection, "connected");
  assert.equal(connected.auth.clientId, "bob");
  await connected.channels.get("a").attach();
  await fails(connected.channels.get("b").attach(), 40160);
});

test("a token request is signed by one and exchanged by another", async ({ realtime, rest }) => {
  const signer = rest();
  const client = realtime({
    authCallback: (params, callback) => {
      signer.auth.createTokenRequest({ ...params, clientId: "al" }).then(
        (request) => callback(null, request),
        (error) => callback(error, null),
      );
    },
  });
  await inState(client.connection, "connected");
  assert.equal(client.auth.clientId, "al");
});

test("a JWT from elsewhere that carries a token serves as that token", async ({ realtime, rest }) => {
  const { token } = await rest().auth.requestToken({ clientId: "bob", capability: { a: ["subscribe"] } });
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 60;
  const outer = `${encode({ alg: "RS256", "x-ably-token": token })}.${encode({ exp })}.${encode({})}`;
  const client = realtime({ authCallback: (_, callback) => callback(null, outer) });
  await inState(client.connection, "connected");
  assert.equal(client.auth.clientId, "bob");
  await client.channels.get("a").attach();
  await fails(rest({ token: outer }).channels.get("a").publish("n", "d"), 40160);
});

test("requests that ask for too much are refused", async ({ rest }) => {
  const { auth } = rest();
  await fails(auth.requestToken({ ttl: -1 }), 40003);
  await fails(auth.requestToken({ ttl: 25 * 3_600_000 }), 40003);
  await fails(auth.requestToken({ capability: { elsewhere: ["subscribe"] } }, { key: SMALL_KEY }), 40160);
  const { token, expires } = await auth.requestToken({ ttl: 1 });
  while (Date.now() <= expires) await new Promise((resolve) => setImmediate(resolve));
  await fails(rest({ token }).channels.get("a").publish("n", "d"), 40171);
});

test("at its end a token disconnects, and the next one resumes", async ({ realtime, name }) => {
  const client = realtime(renewing(() => ({ exp: Date.now() / 1000 + 3 })));
  await inState(client.connection, "connected");
  const { id } = client.connection;
  const channel = client.channels.get(name());
  const messages = await messagesOf(channel);
  const change = await soon(client.connection.once("disconnected"), "disconnected");
  assert.equal(change.reason?.code, 40142);
  await inState(client.connection, "connected");
  assert.equal(client.connection.id, id);
  await channel.publish("n", "after");
  await messages.until(1);
});

test("a client is asked for a token 30 seconds ahead, and keeps its connection", async ({ realtime }) => {
  const client = realtime(renewing((count) => ({ exp: Date.now() / 1000 + (count === 1 ? 32 : 3600) })));
  await inState(client.connection, "connected");
  const { key } = client.connection;
  const update = await soon(client.connection.once("update"), "update");
  assert.equal(update.reason, undefined);
  assert.equal(client.connection.key, key);
});

test("a new token narrows and widens what a connection may do", async ({ realtime, name }) => {
  const [kept, lost] = [name(), name()];
  const client = realtime({ token: able({ [kept]: ["subscribe"], [lost]: ["subscribe"] }) });
  const [a, b] = [client.channels.get(kept), client.channels.get(lost)];
  const messages = await messagesOf(a);
  await b.attach();
  await fails(a.publish("n", "d"), 40160);
  await client.auth.authorize(undefined, { token: able({ [kept]: ["subscribe", "publish"] }) });
  await inState(b, "failed");
  assert.equal(b.errorReason?.code, 40160);
  assert.equal(a.state, "attached");
  await a.publish("n", "d");
  await messages.until(1);
  await client.auth.authorize(undefined, { token: able({ [kept]: ["publish"] }) });
  await a.publish("n", "unheard");
  await fails(a.presence.enterClient("c"), 40160);
  assert.equal(messages.all.length, 1);
});

test("a key whose capability is small gives no more", async ({ realtime }) => {
  const client = realtime({ key: SMALL_KEY });
  await client.channels.get("talk:1").publish("n", "d");
  await fails(client.channels.get("news").publish("n", "d"), 40160);
  await fails(client.channels.get("secret").attach(), 40160);
});
