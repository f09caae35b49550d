// A client that asks for a TokenRequest exchanges it with Ably for a token of Ably's own, which allows the same.

import assert from "node:assert/strict";
import Ably from "ably";
import { inBothFormats, refused, statesOf } from "./support/clients.ts";
import { assertGapless, channelOf, Listener, post } from "./support/driving.ts";
import { unique, World } from "./support/world.ts";

const world = await World.forThisFile();

for (const way of ["a header", "POST and a cookie"] as const) {
  inBothFormats(world, `a TokenRequest asked for by ${way} becomes a token that allows what a JWT does`, async (_, clients) => {
    const [sub, job, otherJob] = [unique("driver"), unique("job"), unique("job")];
    const session = world.session({ role: "driver", sub, jobs: [job, otherJob] });
    const client = await clients.connected(session, way, { authParams: { format: "token-request", jobId: job } });
    assert.equal(client.auth.clientId, sub);
    // One more of the same, to look at.
    const token = await client.auth.requestToken();
    assert.equal(token.clientId, sub);
    assert.deepEqual(JSON.parse(token.capability), {
      [channelOf(job)]: ["subscribe"],
      [`notifications:user:${sub}`]: ["subscribe"],
      "presence:dispatch": ["presence"],
    });
    const life = token.expires - token.issued;
    assert.ok(life > 0 && life <= 15 * 60_000, `it lives ${life} ms`);

    const listener = await Listener.on(client, job);
    const { epoch } = await post(world, session, job, { lat: 45, lng: 13 });
    await listener.hears(1);
    assertGapless(listener.told, { epoch, to: 1 });
    await refused("publish", client.channels.get(channelOf(job)).publish("spoof", {}));
    await refused("the other job", client.channels.get(channelOf(otherJob)).attach());
    await client.channels.get("presence:dispatch").presence.enter();
  });
}

inBothFormats(world, "a connection goes on with the token of another TokenRequest", async (_, clients) => {
  const session = world.session({ role: "dispatcher" });
  const client = await clients.connected(session, "a header", { authParams: { format: "token-request" } });
  const states = statesOf(client);
  const { id } = client.connection;
  const [first, second] = [await client.auth.authorize(), await client.auth.authorize()];
  assert.notEqual(first.token, second.token);
  assert.equal(client.connection.id, id);
  assert.deepEqual(states, ["connected"]);
});

inBothFormats(world, "a TokenRequest is good for one token, and not if it was changed", async (_, clients) => {
  const session = world.session({ role: "customer", jobs: [unique("job")] });
  const answer = await fetch(`${world.authUrl}?format=token-request`, { headers: { authorization: `Bearer ${session}` } });
  assert.equal(answer.headers.get("content-type"), "application/json");
  const request = (await answer.json()) as Ably.TokenRequest;
  const rest = clients.rest(session);
  const exchange = (changed: Partial<Ably.TokenRequest>) =>
    rest.auth.requestToken(undefined, { authCallback: (_, done) => done(null, { ...request, ...changed }) });

  for (const change of [{ capability: '{"*":["*"]}' }, { clientId: unique("user") }, { ttl: 3_600_000 }]) {
    await assert.rejects(exchange({ ...change, nonce: unique("nonce-of-sixteen") }), (error: Ably.ErrorInfo) => error.statusCode === 401);
  }
  await exchange({});
  await assert.rejects(exchange({}), (error: Ably.ErrorInfo) => error.code === 40105 && error.statusCode === 401);
});
