// A driver drives, and somebody watches: every fix arrives once and in order, however it was posted.

import assert from "node:assert/strict";
import { type Clients, inBothFormats } from "./support/clients.ts";
import { drive, type Fix } from "./support/drive.ts";
import { assertGapless, channelOf, firstState, Listener, post, type Told } from "./support/driving.ts";
import { eventually } from "./support/wait.ts";
import { unique, World } from "./support/world.ts";

const world = await World.forThisFile();

function cast() {
  const job = unique("job");
  return {
    job,
    driver: world.session({ role: "driver", jobs: [job] }),
    customer: world.session({ role: "customer", jobs: [job] }),
  };
}

/** That the fixes told are those that were posted: the places, to the last digit, and the times. */
function assertSame(told: Told[], posted: Fix[]) {
  const place = ({ lat, lng }: { lat: number; lng: number }, at: number) => ({ lat, lng, at });
  assert.deepEqual(told.map((fix) => place(fix, fix.at)), posted.map((fix) => place(fix, fix.capturedAt)));
}

inBothFormats(world, "a customer sees a whole drive, fix by fix", async (_, clients) => {
  const { job, driver, customer } = cast();
  const listener = await Listener.on(await clients.connected(customer), job);
  const fixes = drive();
  let epoch = 0;
  for (const [index, fix] of fixes.entries()) {
    const answer = await post(world, driver, job, fix);
    assert.deepEqual(answer.results, [{ seq: index + 1, status: "accepted" }]);
    epoch = answer.epoch;
    // What comes while a message is under way would leave with others.
    await listener.hears(index + 1);
  }

  assertGapless(listener.told, { epoch, to: fixes.length });
  assertSame(listener.told, fixes);
  assert.deepEqual(listener.messages.map(({ data }) => data.altitude), fixes.map(({ altitude }) => altitude));
  assert.ok(listener.messages.every(({ name, data }) => name === "location.updated" && data.fromSeq === data.seq));
  // Whoever publishes is the service, and not a client with a name.
  assert.ok(listener.messages.every(({ clientId, encoding }) => !clientId && !encoding));

  const { now, ageMs, lastHeard, ...state } = await firstState(world, customer, job);
  assert.deepEqual(state, listener.messages.at(-1)?.data);
  assert.equal(ageMs, now - (state.capturedAt ?? 0));
  assert.equal(lastHeard, state.ts);
});

inBothFormats(world, "a drive posted in batches arrives as one message a post that tells of each fix", async (_, clients) => {
  const { job, driver, customer } = cast();
  const listener = await Listener.on(await clients.connected(customer), job);
  const fixes = drive();
  let epoch = 0;
  let posts = 0;
  // 1, 2, 3 … fixes a post, as a phone sends what has gathered.
  for (let from = 0, size = 1; from < fixes.length; from += size, size += 1) {
    const locations = fixes.slice(from, from + size);
    const answer = await post(world, driver, job, { locations });
    assert.deepEqual(answer.results, locations.map((_, index) => ({ seq: from + index + 1, status: "accepted" })));
    epoch = answer.epoch;
    posts += 1;
    await listener.hears(from + locations.length);
  }
  assertGapless(listener.told, { epoch, to: fixes.length });
  assertSame(listener.told, fixes);
  assert.equal(listener.messages.length, posts);
});

inBothFormats(world, "a phone that posts everything twice gets the same seqs and publishes nothing new", async (_, clients) => {
  const { job, driver, customer } = cast();
  const listener = await Listener.on(await clients.connected(customer), job);
  const fixes = drive(60);
  const duplicate = (results: { seq: number }[]) => results.map(({ seq }) => ({ seq, status: "duplicate" }));
  let epoch = 0;
  for (let from = 0; from < fixes.length; from += 3) {
    // Named by an id, by nothing but the measurement, and by an Idempotency-Key.
    const [one, two, three] = fixes.slice(from, from + 3) as [Fix, Fix, Fix];
    const posts: [object, Record<string, string>][] = [
      [{ ...one, id: `fix-${from}` }, {}],
      [{ locations: [two] }, {}],
      [{ locations: [three] }, { "idempotency-key": `post-${from}` }],
    ];
    for (const [body, headers] of posts) {
      const first = await post(world, driver, job, body, headers);
      const again = await post(world, driver, job, body, headers);
      assert.deepEqual(first.results.map(({ status }) => status), ["accepted"]);
      assert.deepEqual(again.results, duplicate(first.results));
      assert.equal(again.epoch, first.epoch);
      epoch = first.epoch;
    }
  }
  // The whole day again, as trackers do.
  const whole = fixes.flatMap((fix, index) => [[{ ...fix, id: `fix-${index}` }], [fix], []][index % 3] ?? []);
  const { results } = await post(world, driver, job, { locations: whole });
  assert.deepEqual(results, duplicate(fixes.map((_, index) => ({ seq: index + 1 })).filter(({ seq }) => seq % 3 !== 0)));

  const last = (await post(world, driver, job, { lat: 1, lng: 2, capturedAt: Date.now() })).results[0]?.seq ?? 0;
  await listener.hears(last);
  assertGapless(listener.told, { epoch, to: last });
  assertSame(listener.told.slice(0, fixes.length), fixes);
  await assertPublished(clients, job, listener.messages.length);
});

inBothFormats(world, "a post and its retry at the same time are one", async (_, clients) => {
  const { job, driver, customer } = cast();
  const listener = await Listener.on(await clients.connected(customer), job);
  const fixes = drive(20);
  let epoch = 0;
  for (const [index, fix] of fixes.entries()) {
    const answers = await Promise.all([1, 2, 3].map(() => post(world, driver, job, { ...fix, id: `fix-${index}` })));
    const results = answers.flatMap((answer) => answer.results);
    assert.deepEqual(results.map(({ status }) => status).sort(), ["accepted", "duplicate", "duplicate"]);
    assert.deepEqual(results.map(({ seq }) => seq), [index + 1, index + 1, index + 1]);
    epoch = answers[0]?.epoch ?? 0;
  }
  await listener.hears(fixes.length);
  assertGapless(listener.told, { epoch, to: fixes.length });
  await assertPublished(clients, job, listener.messages.length);
});

inBothFormats(world, "who comes late begins with the first state and goes on without a gap", async (_, clients) => {
  const { job, driver, customer } = cast();
  const witness = await Listener.on(await clients.connected(customer), job);
  const fixes = drive();
  let joined: Promise<{ listener: Listener; state: { epoch: number; seq: number } }> | undefined;
  let epoch = 0;
  for (const [index, fix] of fixes.entries()) {
    // In the middle of the drive, and without the driver waiting for it. It listens first: what it hears before the
    // first state is older than that or just as old.
    if (index === 40) {
      joined = clients.connected(customer).then(async (client) => {
        const listener = await Listener.on(client, job);
        return { listener, state: await firstState(world, customer, job) };
      });
    }
    epoch = (await post(world, driver, job, fix)).epoch;
  }
  assert.ok(joined !== undefined);
  const { listener, state } = await joined;
  const end = (await post(world, driver, job, { lat: 1, lng: 2, capturedAt: Date.now() })).results[0]?.seq ?? 0;
  await Promise.all([listener.hears(end), witness.hears(end)]);

  assert.ok(state.seq >= 40, `the first state is of seq ${state.seq}`);
  const newer = listener.told.filter((fix) => fix.epoch > state.epoch || (fix.epoch === state.epoch && fix.seq > state.seq));
  assertGapless(newer, { epoch, from: state.seq + 1, to: end });
  assertGapless(witness.told, { epoch, to: end });
});

/** That Ably keeps so many messages of the job's channel and no more: nothing was published that no listener has heard. */
async function assertPublished(clients: Clients, job: string, count: number) {
  const channel = clients.withKey().channels.get(channelOf(job));
  const kept = await eventually(`${count} messages in the history`, async () => {
    const { items } = await channel.history({ limit: 1000 });
    return items.length >= count ? items : undefined;
  });
  assert.equal(kept.length, count);
}
