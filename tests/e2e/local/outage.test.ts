// Ably is away for a while, or the network to it. `npm run test:e2e` leaves this folder out: nobody restarts Ably itself.

import assert from "node:assert/strict";
import { after } from "node:test";
import { LocalAbly } from "../support/ably.ts";
import { type Clients, inBothFormats, reaches, statesOf } from "../support/clients.ts";
import { drive } from "../support/drive.ts";
import { assertGapless, channelOf, type Event, firstState, Listener, post } from "../support/driving.ts";
import { Relay } from "../support/relay.ts";
import { eventually } from "../support/wait.ts";
import { unique, World } from "../support/world.ts";

const ably = await LocalAbly.start();
/** Between the service and Ably. */
const relay = await Relay.to(ably.port);
after(() => relay.stop());
const world = await World.forThisFile({ ABLY_REST_URL: relay.url }, async () => ably);

const RETRY = { disconnectedRetryTimeout: 200 };

/** The seqs of all fixes that Ably keeps of a job, in the order of their messages. */
async function kept(clients: Clients, job: string): Promise<number[]> {
  const page = await clients.withKey().channels.get(channelOf(job)).history({ limit: 1000, direction: "forwards" });
  return page.items.flatMap(({ data }) => seqs((data as Event).fromSeq, (data as Event).seq));
}

const seqs = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

inBothFormats(world, "fixes that were accepted while Ably was out of reach arrive afterwards, in order, once", async (t, clients) => {
  t.after(() => relay.open());
  const job = unique("job");
  const driver = world.session({ role: "driver", jobs: [job] });
  const listener = await Listener.on(await clients.connected(world.session({ role: "customer", jobs: [job] })), job);
  const fixes = drive(30);
  let epoch = 0;
  for (const [index, fix] of fixes.entries()) {
    if (index === 10) {
      await listener.hears(10);
      relay.cut();
    }
    const answer = await post(world, driver, job, fix);
    assert.deepEqual(answer.results, [{ seq: index + 1, status: "accepted" }]);
    epoch = answer.epoch;
  }
  const broken = relay.broken;
  await eventually("the service to try again", () => (relay.broken > broken ? true : undefined));
  assert.equal(listener.told.length, 10);
  assert.equal((await firstState(world, driver, job)).seq, 30, "the first state does not wait for Ably");

  relay.open();
  await listener.hears(30);
  assertGapless(listener.told, { epoch, to: 30 });
  assert.deepEqual(listener.told.map(({ lat, lng }) => [lat, lng]), fixes.map(({ lat, lng }) => [lat, lng]));
  assert.deepEqual(await kept(clients, job), seqs(1, 30));
});

inBothFormats(world, "a message that Ably has taken, but whose answer was lost, is not published twice", async (t, clients) => {
  t.after(() => relay.open());
  const job = unique("job");
  const driver = world.session({ role: "driver", jobs: [job] });
  const listener = await Listener.on(await clients.connected(world.session({ role: "customer", jobs: [job] })), job);
  const broken = relay.broken;
  relay.loseAnswers();
  const { epoch } = await post(world, driver, job, { lat: 45, lng: 13 });
  await listener.hears(1);
  await eventually("a second answer to be lost", () => (relay.broken >= broken + 2 ? true : undefined));
  relay.open();
  await post(world, driver, job, { lat: 45, lng: 14 });
  await listener.hears(2);
  assertGapless(listener.told, { epoch, to: 2 });
  assert.deepEqual(await kept(clients, job), [1, 2]);
});

inBothFormats(world, "Ably restarts, and clients and service go on by themselves", async (_, clients) => {
  const job = unique("job");
  const driver = world.session({ role: "driver", jobs: [job] });
  const customer = world.session({ role: "customer", jobs: [job] });
  const client = await clients.connected(customer, "a header", RETRY);
  const states = statesOf(client);
  const listener = await Listener.on(client, job);
  const send = async () => (await post(world, driver, job, { lat: 45, lng: 13, capturedAt: Date.now() })).results[0]?.seq ?? 0;
  for (let count = 1; count <= 5; count += 1) await send();
  await listener.hears(5);

  await ably.stop();
  await eventually("the client to notice", () => (client.connection.state === "connected" ? undefined : true));
  for (let count = 6; count <= 15; count += 1) assert.equal(await send(), count);
  await ably.restart();
  // It has forgotten everything, so what it keeps is what came afterwards.
  const [later, again] = [seqs(6, 15), async () => kept(clients, job)];
  await eventually("the fixes to arrive", async () => ((await again()).length >= later.length ? true : undefined));
  assert.deepEqual(await again(), later);

  await reaches(client, "connected");
  await eventually("the channel", () => (listener.channel.state === "attached" ? true : undefined));
  const last = await send();
  await listener.hears(last);
  const heard = listener.told.map(({ seq }) => seq);
  assert.deepEqual(heard, [...new Set(heard)].sort((a, b) => a - b), "nothing twice, nothing out of order");
  assert.deepEqual([heard.slice(0, 5), heard.at(-1)], [seqs(1, 5), last]);
  assert.ok(!states.includes("failed"), states.join());

  const late = await Listener.on(await clients.connected(customer), job, { rewind: "100" });
  await late.hears(last);
  assertGapless(late.told, { epoch: late.told[0]?.epoch ?? 0, from: 6, to: last });
});
