import assert from "node:assert/strict";
import { fails, inState, jwt, localAbly, messagesOf, REVOCABLE_KEY, soon, type Use } from "./support.ts";

const test = localAbly();

/** Revokes with the key that issued the tokens. */
const revoker = (rest: Use["rest"]) => rest({ key: REVOCABLE_KEY }).auth;

test("revoked by clientId, a live connection is cut by 40141", async ({ realtime, rest, name }) => {
  const auth = revoker(rest);
  const [first, second, third] = [name(), name(), name()];
  const clients = [];
  for (const clientId of [first, second, third]) {
    const tokenDetails = await auth.requestToken({ clientId });
    const client = realtime({ tokenDetails });
    await inState(client.connection, "connected");
    clients.push(client);
  }
  const [one, two, bystander] = clients;
  assert(one && two && bystander);
  const cut = [one, two].map((client) => soon(client.connection.once("disconnected"), "disconnected"));
  const result = await auth.revokeTokens([
    { type: "clientId", value: first },
    { type: "clientId", value: second },
    { type: "invalidType", value: "abc" },
  ]);
  assert.deepEqual([result.successCount, result.failureCount], [2, 1]);
  const [done, , refused] = result.results;
  assert(done && "appliesAt" in done && refused && "error" in refused);
  assert.deepEqual([done.target, typeof done.issuedBefore, typeof done.appliesAt], [`clientId:${first}`, "number", "number"]);
  assert.deepEqual([refused.target, refused.error.statusCode], ["invalidType:abc", 400]);
  for (const change of await Promise.all(cut)) assert.equal(change.reason?.code, 40141);
  assert.equal(bystander.connection.state, "connected");
});

test("revoked by revocation key, a client goes on with a new token", async ({ realtime, rest, name }) => {
  const revocationKey = `job:${name()}`;
  let tokens = 0;
  const client = realtime({
    authCallback: (_params, callback) => {
      tokens += 1;
      // A token of the very second of the revocation would count as older than it.
      const iat = Date.now() / 1000 + (tokens > 1 ? 1 : 0);
      callback(null, jwt({ "x-ably-revocation-key": revocationKey, iat, exp: iat + 60 }, REVOCABLE_KEY));
    },
  });
  const channel = client.channels.get(name());
  const heard = await messagesOf(channel);
  const { id } = client.connection;
  const cut = soon(client.connection.once("disconnected"), "disconnected");
  await revoker(rest).revokeTokens([{ type: "revocationKey", value: revocationKey }]);
  assert.equal((await cut).reason?.code, 40141);
  await inState(client.connection, "connected");
  assert.deepEqual([client.connection.id, tokens], [id, 2]);
  await channel.publish("n", "d");
  await heard.until(1);
});

// ably-js 2.28 repeats a REST request that was refused for its token with that same token, for ever, if it has the means to get
// another; so these clients have none.
test("a revoked token is refused over REST, and a newer one is not", async ({ rest, name }) => {
  const clientId = name();
  const auth = revoker(rest);
  const { token } = await auth.requestToken({ clientId });
  const client = rest({ token });
  await client.channels.get("a").publish("n", "d");
  const result = await auth.revokeTokens([{ type: "clientId", value: clientId }]);
  await fails(client.channels.get("a").publish("n", "d"), 40171);
  const [done] = result.results;
  assert(done && "issuedBefore" in done);
  while ((await rest().time()) <= done.issuedBefore) await new Promise((resolve) => setImmediate(resolve));
  const newer = await auth.requestToken({ clientId });
  await rest({ token: newer.token }).channels.get("a").publish("n", "d");
});

test("with a margin a client changes its token and stays connected", async ({ realtime, rest, name }) => {
  const clientId = name();
  const auth = revoker(rest);
  let tokens = 0;
  const client = realtime({
    authCallback: (_params, callback) => {
      tokens += 1;
      auth.requestToken({ clientId }).then((details) => callback(null, details), (error) => callback(error, null));
    },
  });
  await inState(client.connection, "connected");
  const { key } = client.connection;
  const updated = soon(client.connection.once("update"), "update");
  const before = Date.now();
  const result = await auth.revokeTokens([{ type: "clientId", value: clientId }], { allowReauthMargin: true });
  const [done] = result.results;
  assert(done && "appliesAt" in done && done.appliesAt >= before + 30_000);
  assert.equal((await updated).reason, undefined);
  assert.deepEqual([client.connection.key, tokens], [key, 2]);
});

test("only what was issued before a moment is revoked", async ({ rest, name }) => {
  const clientId = name();
  const auth = revoker(rest);
  const client = rest({ tokenDetails: await auth.requestToken({ clientId }) });
  const issuedBefore = (await rest().time()) - 20 * 60_000;
  const result = await auth.revokeTokens([{ type: "clientId", value: clientId }], { issuedBefore });
  const [done] = result.results;
  assert(done && "issuedBefore" in done && done.issuedBefore === issuedBefore);
  await client.channels.get("a").publish("n", "d");
  await fails(auth.revokeTokens([{ type: "clientId", value: clientId }], { issuedBefore: Date.now() + 60_000 }), 40003);
});

test("a token cannot revoke, nor a key without revocable tokens", async ({ rest, name }) => {
  const targets = [{ type: "clientId", value: name() }];
  const { token } = await revoker(rest).requestToken();
  await fails(rest({ token }).auth.revokeTokens(targets), 40162);
  await fails(rest().auth.revokeTokens(targets), 40163);
});
