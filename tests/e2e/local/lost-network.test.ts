// A client's own network is gone: for a moment, or for good.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { PresenceMessage } from "ably";
import { LocalAbly } from "../support/ably.ts";
import { inBothFormats, reaches, statesOf } from "../support/clients.ts";
import { assertGapless, Listener, post } from "../support/driving.ts";
import { Relay } from "../support/relay.ts";
import { eventually } from "../support/wait.ts";
import { unique, World } from "../support/world.ts";

const ably = await LocalAbly.start();
const world = await World.forThisFile({}, async () => ably);

/** A network of a client's own. */
async function network(t: TestContext): Promise<Relay> {
  const relay = await Relay.to(ably.port);
  t.after(() => relay.stop());
  return relay;
}

inBothFormats(world, "a customer in a tunnel misses no fix", async (t, clients) => {
  const job = unique("job");
  const driver = world.session({ role: "driver", jobs: [job] });
  const relay = await network(t);
  const client = await clients.connected(world.session({ role: "customer", jobs: [job] }), "a header", {
    port: relay.port,
    disconnectedRetryTimeout: 200,
  });
  const states = statesOf(client);
  const listener = await Listener.on(client, job);
  const { epoch } = await post(world, driver, job, { lat: 45, lng: 13, capturedAt: Date.now() });
  await listener.hears(1);
  const connectionId = client.connection.id;

  relay.cut();
  await eventually("the client to notice", () => (client.connection.state === "connected" ? undefined : true));
  for (let count = 2; count <= 10; count += 1) await post(world, driver, job, { lat: 45, lng: 13, capturedAt: Date.now() });
  relay.open();
  await reaches(client, "connected");
  await listener.hears(10);
  assertGapless(listener.told, { epoch, to: 10 });
  assert.equal(client.connection.id, connectionId);
  assert.ok(!states.includes("failed"), states.join());
});

inBothFormats(world, "a driver whose phone has died is off duty after a while, and not before", async (t, clients) => {
  const sub = unique("driver");
  const relay = await network(t);
  const dispatcher = await clients.connected(world.session({ role: "dispatcher" }));
  const duty = dispatcher.channels.get("presence:dispatch").presence;
  const seen: PresenceMessage[] = [];
  await duty.subscribe((message) => void seen.push(message));
  const driver = await clients.connected(world.session({ role: "driver", sub, jobs: [] }), "a header", { port: relay.port });
  await driver.channels.get("presence:dispatch").presence.enter("on the road");
  await eventually("the driver to enter", () => seen.find(({ clientId, action }) => clientId === sub && action === "enter"));

  relay.cut();
  await eventually("the driver's client to notice", () => (driver.connection.state === "connected" ? undefined : true));
  assert.equal((await duty.get()).filter(({ clientId }) => clientId === sub).length, 1, "a moment without a network is no leave");
  const left = await eventually("the driver to leave", () => seen.find(({ clientId, action }) => clientId === sub && action === "leave"));
  assert.equal(left.data, "on the road");
  assert.deepEqual((await duty.get()).filter(({ clientId }) => clientId === sub), []);
});
