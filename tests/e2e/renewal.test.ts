// A token is renewed while its client is connected, and the client loses nothing by it.

import assert from "node:assert/strict";
import { type Clients, inBothFormats, reaches, refused, statesOf } from "./support/clients.ts";
import { assertGapless, channelOf, Listener, post } from "./support/driving.ts";
import { Front } from "./support/front.ts";
import { eventually, within } from "./support/wait.ts";
import { unique, World } from "./support/world.ts";

const world = await World.forThisFile();

/** A client whose sessions last `seconds`: the token, which never outlives its session, lasts no longer. */
async function watching(clients: Clients, t: Parameters<typeof Front.start>[0], job: string, seconds: number) {
  const sub = unique("customer");
  const front = await Front.start(t, world, () => world.session({ role: "customer", sub, jobs: [job], seconds }));
  const client = clients.realtime({ authUrl: front.authUrl });
  await reaches(client, "connected");
  return { client, front, states: statesOf(client), listener: await Listener.on(client, job) };
}

/** A driver who posts a fix, waits until it was taken, posts the next, and so on until told to stop. */
function driving(job: string) {
  const session = world.session({ role: "driver", jobs: [job] });
  let stopped = false;
  const driven = (async () => {
    for (let count = 1; ; count += 1) {
      const { epoch, results } = await post(world, session, job, { lat: 45, lng: 13 + count / 1000, capturedAt: Date.now() });
      assert.deepEqual(results, [{ status: "accepted", seq: count }]);
      if (stopped) return { epoch, to: count };
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    stop: () => {
      stopped = true;
      return driven;
    },
  };
}

inBothFormats(world, "a client whose token runs out gets another one and misses no fix", async (t, clients) => {
  const job = unique("job");
  const { client, front, states, listener } = await watching(clients, t, job, 6);
  const connectionId = client.connection.id;
  const drive = driving(job);
  await eventually("two renewals", () => (front.statuses.length >= 3 && client.connection.state === "connected" ? true : undefined));
  const { epoch, to } = await drive.stop();
  await listener.hears(to);

  assertGapless(listener.told, { epoch, to });
  assert.ok(!states.includes("failed") && !states.includes("suspended"), states.join());
  assert.equal(client.connection.id, connectionId, "the connection was resumed");
  assert.deepEqual(new Set(front.statuses), new Set([200]));
});

inBothFormats(world, "a token that lasts is renewed before it runs out, without a moment of silence", async (t, clients) => {
  const job = unique("job");
  // Ably asks for another token half a minute before the end of this one.
  const { client, states, listener } = await watching(clients, t, job, 36);
  const connectionId = client.connection.id;
  const drive = driving(job);
  await within("a renewal", new Promise((resolve) => client.connection.once("update", resolve)));
  const { epoch, to } = await drive.stop();
  await listener.hears(to);

  assertGapless(listener.told, { epoch, to });
  assert.deepEqual(states, ["connected"]);
  assert.equal(client.connection.id, connectionId);
});

inBothFormats(world, "a client that asks for another job's channels gets them on the connection that it has", async (t, clients) => {
  const [job, nextJob] = [unique("job"), unique("job")];
  const sub = unique("driver");
  const jobs = [job];
  const front = await Front.start(t, world, () => world.session({ role: "driver", sub, jobs }));
  const client = clients.realtime({ authUrl: front.authUrl });
  await reaches(client, "connected");
  const states = statesOf(client);
  const listener = await Listener.on(client, job);
  await refused("the next job, before it is theirs", client.channels.get(channelOf(nextJob)).attach());

  jobs.push(nextJob);
  await client.auth.authorize();
  // A channel that was refused is tried again only where it is asked for.
  await client.channels.get(channelOf(nextJob)).attach();
  const next = await Listener.on(client, nextJob);
  for (const page of [listener, next]) {
    const { epoch } = await post(world, front.session(), page.job, { lat: 1, lng: 2 });
    await page.hears(1);
    assertGapless(page.told, { epoch, to: 1 });
  }
  assert.deepEqual(states, ["connected"]);
});
