// Access that ends: whoever leaves a registered job hears nothing of it any more, whatever token they have.

import assert from "node:assert/strict";
import Ably, { type Realtime } from "ably";
import { inBothFormats } from "../support/clients.ts";
import { channelOf, firstState, Listener, post } from "../support/driving.ts";
import { eventually } from "../support/wait.ts";
import { unique, World } from "../support/world.ts";

const world = await World.forThisFile();

async function platform(method: string, path: string, body?: object) {
  const authorization = `Bearer ${world.session({ role: "service" })}`;
  const response = await fetch(`${world.url}${path}`, { method, headers: { authorization }, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text);
}

const register = (job: string, driver: string | null, customers: string[]) => platform("PUT", `/api/jobs/${job}`, { driver, customers });

/** Publishes on a job's channel as nobody but the owner of the key can. */
async function probe(job: string) {
  const { endpoint, port, tls } = world.ably.address;
  const rest = new Ably.Rest({ key: world.ably.key, endpoint, port, tls });
  await rest.channels.get(channelOf(job)).publish("probe", {});
}

/** Waits until a client's channel is attached no longer. */
async function cutOff(client: Realtime, job: string, since: number) {
  const channel = client.channels.get(channelOf(job));
  await eventually("the client to be cut off", () => (channel.state !== "attached" || client.connection.state !== "connected" ? true : undefined));
  return performance.now() - since;
}

inBothFormats(world, "a close cuts off everybody, and they know why", async (t, clients) => {
  const [job, other] = [unique("job"), unique("job")];
  const [driver, one, two, three] = [unique("driver"), unique("one"), unique("two"), unique("three")];
  await register(job, driver, [one, two, three]);
  await register(other, null, [two]);
  const customer = (sub: string, jobs = [job]) => world.session({ role: "customer", sub, jobs });
  const [byOne, byTwo, byRequest, dispatcher] = await Promise.all([
    clients.connected(customer(one)),
    clients.connected(customer(two, [job, other])),
    clients.connected(customer(three), "a header", { authParams: { format: "token-request" } }),
    clients.connected(world.session({ role: "dispatcher" })),
  ]);
  const listeners = await Promise.all([byOne, byTwo, byRequest, dispatcher].map((client) => Listener.on(client, job)));
  const elsewhere = await Listener.on(byTwo, other);
  await post(world, world.session({ role: "driver", sub: driver, jobs: [job] }), job, { lat: 1, lng: 2 });
  await Promise.all(listeners.map((listener) => listener.hears(1)));

  const since = performance.now();
  await platform("POST", `/api/jobs/${job}/close`, { reason: "done" });
  const times = await Promise.all([byOne, byTwo, byRequest].map((client) => cutOff(client, job, since)));
  t.diagnostic(`cut off after ${times.map(Math.round).join(", ")} ms`);
  await probe(job);
  await eventually("the dispatcher to hear on", () => listeners[3]?.messages.some(({ name }) => name === "probe") || undefined);
  const names = listeners.slice(0, 3).map(({ messages }) => messages.map(({ name }) => name));
  assert.deepEqual(names, Array.from({ length: 3 }, () => ["location.updated", "job.closed"]));

  // Who has another job is connected again, and stays cut off from this one.
  await eventually("the other job", () => (elsewhere.channel.state === "attached" && byTwo.connection.state === "connected" ? true : undefined));
  await platform("POST", `/api/jobs/${other}/close`, { reason: "cancelled" });
  await eventually("its end", () => elsewhere.messages.some(({ name }) => name === "job.closed") || undefined);
  await assert.rejects(byTwo.channels.get(channelOf(job)).attach());
});

inBothFormats(world, "whoever joins late has the channel when nothing earlier is replayed any more, and until then a token without it", async (_, clients) => {
  const job = unique("job");
  const [driver, early, late] = [unique("driver"), unique("early"), unique("late")];
  await register(job, driver, [early]);
  const session = world.session({ role: "driver", sub: driver, jobs: [job] });
  await post(world, session, job, { lat: 1, lng: 2 });
  await register(job, driver, [early, late]);
  const client = await clients.connected(world.session({ role: "customer", sub: late, jobs: [job] }));
  await assert.rejects(client.channels.get(channelOf(job)).attach());
  assert.equal((await firstState(world, world.session({ role: "customer", sub: late, jobs: [job] }), job)).seq, 0);
  await post(world, session, job, { lat: 3, lng: 4 });
  assert.equal((await firstState(world, world.session({ role: "customer", sub: late, jobs: [job] }), job)).lat, 3);
});

inBothFormats(world, "a hundred reassignments under load let no fix of the wrong driver through", async (_, clients) => {
  const job = unique("job");
  const drivers = [unique("driver"), unique("driver")];
  const customer = unique("customer");
  await register(job, drivers[0] ?? "", [customer]);
  const listener = await Listener.on(await clients.connected(world.session({ role: "dispatcher" })), job);
  let over = false;
  // Each says by its latitude whose fix it is.
  const load = drivers.map(async (sub, lat) => {
    const session = world.session({ role: "driver", sub, jobs: [job] });
    for (let taken = false; !over; ) {
      const response = await fetch(`${world.url}/api/jobs/${job}/location`, {
        method: "POST",
        headers: { authorization: `Bearer ${session}` },
        body: JSON.stringify({ lat, lng: 1 }),
      });
      const text = await response.text();
      // Before it is theirs for the first time it is none of theirs.
      assert.ok(response.status === 200 || (response.status === 403 && !taken), text);
      taken ||= response.status === 200;
      assert.match(text, /"accepted"|"reassigned"|not_a_participant/);
    }
  });
  const epochs = new Map<number, number>();
  for (let round = 1; round <= 100; round += 1) {
    const { epoch } = await register(job, drivers[round % 2] ?? "", [customer]);
    epochs.set(epoch, round % 2);
  }
  over = true;
  await Promise.all(load);
  const last = await post(world, world.session({ role: "driver", sub: drivers[0], jobs: [job] }), job, { lat: 0, lng: 9 });
  await eventually("the last fix", () => (listener.told.at(-1)?.lng === 9 ? true : undefined), 60_000);
  let epoch = 0;
  for (const { name, data } of listener.messages) {
    assert.ok(data.epoch >= epoch, "epochs only grow");
    if (data.epoch > epoch && epochs.has(data.epoch)) assert.match(name ?? "", /^job\./, "an epoch begins with its event");
    epoch = data.epoch;
  }
  const fixes = listener.told.filter((fix) => epochs.has(fix.epoch));
  assert.ok(fixes.length > 0 && fixes.every((fix) => fix.lat === epochs.get(fix.epoch)), "each fix is in an epoch of its driver");
  assert.equal(last.epoch, Math.max(...epochs.keys()));
});
