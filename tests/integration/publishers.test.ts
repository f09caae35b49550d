// Many jobs' messages in one request to Ably: what each job hears of it, and what becomes of the rest. One publisher with a wide
// window, so that what is posted together leaves together.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { held, refused, refusedWhole } from "./support/fake-ably.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

describe("publishers", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ ABLY_PUBLISHING: "batched", ABLY_PUBLISHERS: "1", ABLY_REQUESTS_PER_SECOND: "1" });
  });
  after(() => service.stop());

  const post = async (job: string, lat = 1) => assert.equal((await service.post(job, { lat, lng: 1 })).status, 200);
  const seqs = (job: string) => service.ably.publishes(job).map(({ event }) => event.seq);
  const outbox = async (job: string) => (await service.send("GET", `/api/jobs/${job}/outbox`, { headers: as("admin") })).json;
  const drained = (...jobs: string[]) =>
    until("all to be sent", async () => (await Promise.all(jobs.map(outbox))).every(({ state }) => state === "idle"), 60_000);

  /** Jobs whose first messages come in one request: a first one opens the window. */
  const together = async (...jobs: string[]) => {
    const opener = newJob();
    await post(opener);
    await Promise.all(jobs.map((job) => post(job)));
  };

  test("a job alone is published at once, as any client would", async () => {
    const job = newJob();
    await post(job);
    const [publish] = await service.ably.arrived(job, 1);
    assert.equal(publish?.batch, undefined);
    assert.equal(new URL(publish?.url ?? "").pathname, `/channels/dispatch%3Ajob%3A${job}/messages`);
    await drained(job);
  });

  test("what comes within the window leaves as one request, and each message keeps id and bytes", async () => {
    const jobs = Array.from({ length: 10 }, newJob);
    await together(...jobs);
    await drained(...jobs);
    const batches = new Set(jobs.flatMap((job) => service.ably.publishes(job).map(({ batch }) => batch)));
    assert.equal(batches.size, 1);
    assert.ok(!batches.has(undefined));
    for (const job of jobs) {
      const [publish] = service.ably.publishes(job);
      assert.equal(publish?.message.id, `${job}/${publish?.event.epoch}.1`);
    }
  });

  test("each job has the result of its own message", async () => {
    const [good, bad, busy] = [newJob(), newJob(), newJob()];
    service.ably.plan(bad, refused(400, 40012));
    service.ably.plan(busy, refused(429, 42913));
    await together(good, bad, busy);
    await service.ably.arrived(busy, 2);
    await drained(good, bad, busy);
    assert.deepEqual([seqs(good), seqs(bad), seqs(busy)], [[1], [1], [1, 1]]);
    assert.equal((await outbox(bad)).setAside[0].cause.code, 40012);
    assert.deepEqual((await outbox(busy)).setAside, []);
    const [first, again] = service.ably.publishes(busy);
    assert.equal(again?.body, first?.body);
    // What is set aside holds up nothing.
    await post(bad, 2);
    await service.ably.reached(bad, 2);
    await drained(bad);
  });

  for (const [status, code] of [[400, 40000], [413, 40009]] as const)
    test(`a ${status} of the whole request blames no message`, async () => {
      const jobs = [newJob(), newJob(), newJob()];
      service.ably.plan(jobs[1] ?? "", refused(400, 40012));
      service.ably.planBatches(refusedWhole(status, code));
      await together(...jobs);
      await drained(...jobs);
      for (const job of jobs) {
        assert.deepEqual(service.ably.publishes(job).map(({ batch, event }) => [batch, event.seq]), [[undefined, 1]], "once, by itself");
        assert.equal((await outbox(job)).setAside.length, job === jobs[1] ? 1 : 0);
      }
    });

  test("a key that is refused is tried by one request for all jobs, and all goes on when it is right", async () => {
    const jobs = Array.from({ length: 5 }, newJob);
    const before = service.ably.batches.length;
    service.ably.planBatches(refusedWhole(401, 40101), refusedWhole(401, 40101));
    await together(...jobs);
    await until("all to be held", async () => (await Promise.all(jobs.map(outbox))).every(({ state }) => state === "held"));
    const seen = await Promise.all(jobs.map(outbox));
    for (const { cause } of seen) assert.deepEqual(cause, { class: "access", status: 401, code: 40101 });
    // One time for all, give or take what it takes to tell them.
    const times = seen.map(({ retryAt }) => retryAt);
    assert.ok(Math.max(...times) - Math.min(...times) < 500, `${times}`);
    await drained(...jobs);
    const requests = service.ably.batches.slice(before);
    // The first, a probe, and one that is taken, or two where some came late: and not three of each job.
    assert.ok(requests.filter(({ jobs: sent }) => sent.some((job) => jobs.includes(job))).length <= 4);
    for (const job of jobs) assert.deepEqual(seqs(job), [1]);
  });

  test("after a 429 nobody asks before its time", async () => {
    const jobs = Array.from({ length: 5 }, newJob);
    service.ably.planBatches(refusedWhole(429, 42918, { "retry-after": "2" }));
    await together(...jobs);
    const whole = () => service.ably.batches.filter(({ jobs: sent }) => jobs.every((job) => sent.includes(job)));
    await until("the first", () => whole().length === 1);
    const other = newJob();
    await post(other);
    await drained(...jobs, other);
    const [first, ...later] = whole();
    const next = Math.min(...later.map(({ at }) => at), ...service.ably.publishes(other).map(({ at }) => at));
    assert.ok(next - (first?.at ?? 0) >= 1_990, `${next - (first?.at ?? 0)}`);
    for (const job of jobs) assert.deepEqual(seqs(job), [1]);
  });

  test("after a 503 the same bytes go out again, and what gathers meanwhile follows in order", async () => {
    const jobs = [newJob(), newJob()];
    service.ably.planBatches(refusedWhole(503, 50003));
    await together(...jobs);
    for (const job of jobs) for (const lat of [2, 3]) await post(job, lat);
    await drained(...jobs);
    for (const job of jobs) {
      assert.deepEqual(service.ably.seqs(job), [1, 2, 3]);
      assert.equal(service.ably.mostInFlight(job), 1);
    }
  });

  test("a result that is missing means that the message is sent again", async () => {
    const [told, untold] = [newJob(), newJob()];
    service.ably.planBatches(({ jobs }) => {
      const result = (job: string) => ({ channel: `dispatch:job:${job}`, messageId: "m", serials: ["s"] });
      const answer = jobs.map((job) => ({ successCount: 1, failureCount: 0, results: job === untold ? [] : [result(job)] }));
      return Response.json(answer, { status: 201 });
    });
    await together(told, untold);
    await drained(told, untold);
    assert.deepEqual([seqs(told), seqs(untold)], [[], [1]], "the plan has kept nothing, and only one of them knows that");
  });

  test("a job that is slow at Ably holds up no other", async () => {
    const [slow, quick] = [newJob(), newJob()];
    const { behaviour, release } = held();
    service.ably.plan(slow, behaviour);
    await post(slow);
    await service.ably.arrived(slow, 1);
    for (const lat of [1, 2, 3]) await post(quick, lat);
    await drained(quick);
    await post(slow, 2);
    assert.deepEqual(seqs(slow), [1]);
    release();
    await drained(slow);
    assert.deepEqual(seqs(slow), [1, 2]);
  });

  test("a publisher writes nothing", async () => {
    const tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'";
    assert.deepEqual(await service.publisherSql("publisher-0", tables), []);
  });
});

test("a message that cannot be handed over waits in its job, and is tried again", async (t) => {
  const binding = '[[durable_objects.bindings]]\nname = "PUBLISHERS"\nclass_name = "Publisher"\n';
  const service = await Service.start({ ABLY_PUBLISHING: "batched" }, (toml) => {
    assert.ok(toml.includes(binding));
    return toml.replace(binding, "");
  });
  t.after(() => service.stop());
  const job = newJob();
  assert.equal((await service.post(job, { lat: 1, lng: 1 })).status, 200);
  const failed = () => service.logs().filter(({ level, text }) => level === "warn" && text.includes("publisher_failed"));
  await until("a second try", () => failed().length >= 2);
  const { json } = await service.send("GET", `/api/jobs/${job}/outbox`, { headers: as("admin") });
  assert.deepEqual([json.state, json.waiting, json.setAside], ["backoff", 1, []]);
});
