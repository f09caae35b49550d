// What a stream tells is on disk: whatever fails, nothing that was shown is missing afterwards, or is another.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { bundleWorker } from "../../scripts/testing/bundle.mjs";
import { World } from "../torture/world.ts";
import { assertTaken } from "./support/answers.ts";
import { driverOf, newJob, Service } from "./support/service.ts";
import { Stream } from "./support/stream.ts";
import { until } from "./support/until.ts";

const KILLS = 5;

/** The next row of the log is written and read as any other, and its commit fails. */
const FAIL = [
  "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
  "CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
  "CREATE TRIGGER fail AFTER INSERT ON log BEGIN INSERT INTO child VALUES (1); END",
];

test("as long as the storage has not taken what was written, nothing is told, and where it never does nothing ever is", { timeout: 20_000 }, async () => {
  // The runtime's own, as far as they are needed.
  const { __worker_init_state: wasm, IdentityTransformStream: identity } = globalThis as any;
  Object.assign(globalThis, { __worker_init_state: { criticalError: false, instanceId: 0 }, IdentityTransformStream: TransformStream });
  try {
    const { Streams } = await import(new URL("../../src/edge/streams.js", import.meta.url).href);
    const waiting: { resolve: () => void; reject: () => void }[] = [];
    const storage = { sync: () => new Promise<void>((resolve, reject) => waiting.push({ resolve, reject })) };
    const taken: [number, boolean][] = [];
    const streams = new Streams(storage, (number: number, isThere: boolean) => taken.push([number, isThere]), () => {});
    const told = [1, 2].map((number) => {
      const response: Response = streams.open(number);
      const chunks: string[] = [];
      const ended = (async () => {
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) chunks.push(Buffer.from(chunk).toString());
      })().catch(() => chunks.push("cut"));
      return { chunks, ended };
    });
    const shown = () => told.map(({ chunks }) => chunks.join());
    streams.deliver(["1,2", "a", "2", "b"].join("\0"));
    streams.deliver(["!2", "the end"].join("\0"));
    await delay(20);
    assert.deepEqual(shown(), ["", ""]);
    waiting[1]?.resolve();
    await delay(20);
    assert.deepEqual(shown(), ["", ""], "what was written first is not durable yet");
    waiting[0]?.resolve();
    await told[1]?.ended;
    assert.deepEqual(shown(), ["a", "a,b,the end"]);
    assert.deepEqual(taken.slice(0, 2), [[1, true], [2, true]]);
    streams.deliver(["1", "c"].join("\0"));
    waiting[2]?.reject();
    await until("the stream to be cut", () => shown()[0] === "a,cut", 5_000);
    streams.wakeAt(undefined);
  } finally {
    Object.assign(globalThis, { __worker_init_state: wasm, IdentityTransformStream: identity });
  }
});

test("a commit that fails is told nobody", async (t) => {
  const service = await Service.start();
  t.after(() => service.stop());
  const job = newJob();
  assertTaken(await service.post(job, { lat: 1, lng: 1 }), job);
  await service.ably.reached(job, 1);
  const open = async (headers = {}) => {
    const stream = await Stream.open(service.url, `/api/jobs/${job}/stream`, { ...driverOf(job), ...headers });
    t.after(() => stream.close());
    return stream;
  };
  const stream = await open();
  await stream.take(1);
  for (const statement of FAIL) await service.sql(job, statement);
  assert.equal((await service.post(job, { lat: 2, lng: 1 })).status, 503);
  await until("the stream of an object that is no more", () => stream.ended);
  assert.deepEqual(stream.events.map(({ name }) => name), ["state"]);
  await service.sql(job, "DROP TRIGGER fail");
  const next = await open({ "last-event-id": stream.lastId });
  assertTaken(await service.post(job, { lat: 3, lng: 1 }), job);
  assert.deepEqual((await next.take(2)).map(({ name, data }) => [name, data.seq, data.lat]), [["state", 1, 1], ["location.updated", 2, 3]]);
});

test("nothing that was shown is missing once the runtime was killed", { timeout: 120_000 }, async (t) => {
  const localAbly = process.env.LOCAL_ABLY_BIN;
  assert.ok(localAbly, "LOCAL_ABLY_BIN is not set: `npm test` sets it, to the binary of the local Ably");
  const world = await World.start(process.env.WORKER_BUNDLE ?? (await bundleWorker()), localAbly, "direct");
  t.after(() => world.stop());
  const job = newJob();
  const headers = world.session({ sub: "driver-1", role: "driver", jobs: [job] });
  const url = `${world.url}/api/jobs/${job}`;
  let lat = 0;
  let isPosting = true;
  const posting = (async () => {
    while (isPosting) {
      lat += 0.001;
      const post = fetch(`${url}/location`, { method: "POST", headers, body: JSON.stringify({ lat, lng: 1, id: String(lat) }) });
      // While there is no runtime it is in vain.
      await post.then((answer) => answer.text(), () => delay(20));
    }
  })();
  const shown: { seq: number; lat: number; epoch: number }[] = [];
  let last: string | undefined;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const stream = await Stream.open(new URL(world.url), `/api/jobs/${job}/stream`, { ...headers, "last-event-id": last });
    const before = shown.at(-1)?.seq ?? 0;
    await stream.take(20 + 7 * kill);
    await world.kill();
    await until("the stream to break", () => stream.ended);
    const events = stream.events.filter(({ name }) => name === "location.updated");
    if (last !== undefined) assert.equal(events[0]?.data.fromSeq, before + 1, "it goes on where it was");
    shown.push(...events.map(({ data }) => data));
    last = stream.lastId;
    await world.revive();
  }
  isPosting = false;
  await posting;
  const kept = new Map<number, number>();
  for (let after: string | null = ""; after !== null; ) {
    const page: any = await (await fetch(`${url}/locations${after && `?after=${after}`}`, { headers })).json();
    for (const location of page.locations) kept.set(location.seq, location.lat);
    after = page.next;
  }
  assert.ok(shown.length > KILLS * 15);
  for (const { seq, lat } of shown) assert.equal(kept.get(seq), lat, `${seq} was shown`);
});
