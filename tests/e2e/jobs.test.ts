// Several drivers at once, several posts at once, and phones as they are.

import assert from "node:assert/strict";
import { inBothFormats } from "./support/clients.ts";
import { drive } from "./support/drive.ts";
import { assertGapless, type Event, Listener, post } from "./support/driving.ts";
import { unique, World } from "./support/world.ts";

const world = await World.forThisFile();

inBothFormats(world, "eight drivers on eight jobs at once, each seen by their customer and all by the dispatcher", async (_, clients) => {
  const dispatcher = await clients.connected(world.session({ role: "dispatcher" }));
  await Promise.all(
    Array.from({ length: 8 }, async (_, number) => {
      const job = unique("job");
      const driver = world.session({ role: "driver", jobs: [job] });
      const customer = await clients.connected(world.session({ role: "customer", jobs: [job] }));
      const listeners = await Promise.all([dispatcher, customer].map((client) => Listener.on(client, job)));
      // Each drives elsewhere, so that a fix in the wrong job is seen.
      const fixes = drive(40).map((fix) => ({ ...fix, lng: fix.lng + number }));
      let epoch = 0;
      for (const [index, fix] of fixes.entries()) {
        const answer = await post(world, driver, job, fix);
        assert.deepEqual(answer.results, [{ seq: index + 1, status: "accepted" }]);
        epoch = answer.epoch;
      }
      for (const listener of listeners) {
        await listener.hears(fixes.length);
        assertGapless(listener.told, { epoch, to: fixes.length });
        assert.deepEqual(listener.told.map(({ lat, lng }) => [lat, lng]), fixes.map(({ lat, lng }) => [lat, lng]));
        assert.ok(listener.messages.every(({ data }) => data.jobId === job));
      }
    }),
  );
});

inBothFormats(world, "posts that race on one job share one sequence", async (_, clients) => {
  const job = unique("job");
  const session = world.session({ role: "driver", jobs: [job] });
  const listener = await Listener.on(await clients.connected(world.session({ role: "customer", jobs: [job] })), job);
  const now = Date.now();
  let [epoch, count] = [0, 0];
  /** Where each seq was, by the answers. */
  const places = new Map<number, [number, number]>();
  for (let round = 0; round < 15; round += 1) {
    const posts = [0, 1].map((racer) => ({
      locations: [0, 1, 2].map((index) => ({ lat: round, lng: racer + index / 10, capturedAt: now - 1000 + round * 10 })),
    }));
    const answers = await Promise.all(posts.map((body) => post(world, session, job, body)));
    for (const [racer, answer] of answers.entries()) {
      const seqs = answer.results.map(({ seq }) => seq);
      const [first = 0] = seqs;
      assert.deepEqual(seqs, [first, first + 1, first + 2], "the fixes of a post stay together");
      for (const [index, seq] of seqs.entries()) {
        const fix = posts[racer]?.locations[index];
        assert.ok(fix !== undefined && !places.has(seq), `seq ${seq} was given once`);
        places.set(seq, [fix.lat, fix.lng]);
      }
      epoch = answer.epoch;
      count += 3;
    }
  }
  await listener.hears(count);
  assertGapless(listener.told, { epoch, to: count });
  assert.deepEqual(listener.told.map(({ seq, lat, lng }) => [seq, [lat, lng]]), [...places].sort(([a], [b]) => a - b));
});

inBothFormats(world, "what a phone does not know is not told, whether it says -1, null or nothing", async (_, clients) => {
  const job = unique("job");
  const session = world.session({ role: "driver", jobs: [job] });
  const listener = await Listener.on(await clients.connected(world.session({ role: "customer", jobs: [job] })), job);
  const unknown = [
    { speed: -1, heading: -1, accuracy: -1 },
    { speed: null, heading: null, accuracy: null, altitude: null, capturedAt: null, id: null },
    {},
  ];
  for (const [index, fields] of unknown.entries()) {
    await post(world, session, job, { lat: 45.5, lng: 13.25, ...fields });
    await listener.hears(index + 1);
  }
  await post(world, session, job, { lat: 45.5, lng: 13.25, speed: 0, heading: 360, accuracy: 0, altitude: -1, battery: 0.5, wifi: "home" });
  await listener.hears(4);

  const fields = ({ speed, heading, accuracy, altitude }: Event) => ({ speed, heading, accuracy, altitude });
  const none = { speed: undefined, heading: undefined, accuracy: undefined, altitude: undefined };
  const events = listener.messages.map(({ data }) => data as Event);
  assert.deepEqual(events.map(fields), [none, none, none, { speed: 0, heading: 0, accuracy: 0, altitude: -1 }]);
  const names = ["accuracy", "altitude", "capturedAt", "epoch", "fromSeq", "heading", "jobId", "lat", "lng", "seq", "speed", "ts"];
  assert.deepEqual(Object.keys(events.at(-1) ?? {}).sort(), names, "and nothing else that a phone says");
});

inBothFormats(world, "late fixes are told beside the marker, or without it, and every seq is told once", async (_, clients) => {
  const job = unique("job");
  const session = world.session({ role: "driver", jobs: [job] });
  const listener = await Listener.on(await clients.connected(world.session({ role: "customer", jobs: [job] })), job);
  const now = Date.now();
  const fix = (secondsAgo: number) => ({ lat: 40 + secondsAgo / 1000, lng: 10, capturedAt: now - secondsAgo * 1000 });
  const send = async (...secondsAgo: number[]) => {
    const { results } = await post(world, session, job, { locations: secondsAgo.map(fix) });
    // What comes while a message is under way would leave with others.
    await listener.hears(Math.max(listener.told.length, ...results.map(({ seq }) => seq)));
    return results.map(({ seq, status }) => [seq, status]);
  };

  assert.deepEqual(await send(60), [[1, "accepted"]]);
  // The phone was without a network, sends the newest first, and then what it had kept.
  assert.deepEqual(await send(10, 90, 30, 80), [[5, "accepted"], [2, "late"], [4, "accepted"], [3, "late"]]);
  assert.deepEqual(await send(50, 40), [[6, "late"], [7, "late"]]);
  assert.deepEqual(await send(10, 10, 90, 45), [[5, "duplicate"], [5, "duplicate"], [2, "duplicate"], [8, "late"]]);
  assert.deepEqual(await send(5, 70), [[10, "accepted"], [9, "late"]]);
  await listener.hears(10);

  const at = (secondsAgo: number) => now - secondsAgo * 1000;
  assert.deepEqual(
    listener.told.map((told) => [told.seq, told.at, told.head]),
    [
      [1, at(60), true],
      [2, at(90), false],
      [3, at(80), false],
      [4, at(30), false],
      [5, at(10), true],
      [6, at(50), false],
      [7, at(40), false],
      [8, at(45), false],
      [9, at(70), false],
      [10, at(5), true],
    ],
  );
  const [backfilled, updated] = ["location.backfilled", "location.updated"];
  assert.deepEqual(listener.messages.map(({ name }) => name), [updated, updated, backfilled, backfilled, updated]);
});

inBothFormats(world, "an event of the platform's is heard once, after the fixes that came before it", async (_, clients) => {
  const job = unique("job");
  const session = world.session({ role: "driver", jobs: [job] });
  const platform = { authorization: `Bearer ${world.session({ role: "service" })}` };
  const listener = await Listener.on(await clients.connected(world.session({ role: "customer", jobs: [job] })), job);
  const statuses = [];
  for (const [index, id] of ["a", "b", "a"].entries()) {
    await post(world, session, job, { lat: index, lng: 1 });
    const body = JSON.stringify({ id, type: "photo.added", version: 1 });
    const response = await fetch(`${world.url}/api/jobs/${job}/events`, { method: "POST", headers: platform, body });
    statuses.push(((await response.json()) as { status: string }).status);
  }
  assert.deepEqual(statuses, ["accepted", "accepted", "duplicate"]);
  await listener.hears(3);
  let last = 0;
  const heard = listener.messages.flatMap(({ name, data }) => {
    if (name !== "job.updated") last = data.seq;
    return name === "job.updated" ? [[data.id, data.type, data.version, data.afterSeq, last]] : [];
  });
  assert.deepEqual(heard, [["a", "photo.added", 1, 1, 1], ["b", "photo.added", 1, 2, 2]]);
});
