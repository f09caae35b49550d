// One sequence per job, whatever runs at once and however often the object is thrown out of memory.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertState, assertTaken } from "./support/answers.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

describe("sequencing", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  const taken = async (job: string, body: unknown) => {
    const answer = await service.post(job, body);
    return { epoch: answer.json.epoch, results: assertTaken(answer, job) };
  };
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  /** Every seq that reached Ably, in the order in which it did. */
  const published = (job: string) => service.ably.publishes(job).flatMap(({ event }) => upTo(event.seq - event.fromSeq + 1).map((n) => event.fromSeq + n - 1));

  test("two posts that race on a job get two seqs, in one epoch", async () => {
    for (let round = 0; round < 5; round += 1) {
      const job = newJob();
      const both = await Promise.all([taken(job, { lat: 1, lng: 1 }), taken(job, { lat: 2, lng: 2 })]);
      assert.deepEqual(both.flatMap(({ results }) => results.map(({ seq }) => seq)).sort(), [1, 2]);
      assert.equal(both[0]!.epoch, both[1]!.epoch);
    }
  });

  test("fifty posts that race on a job get seqs without gap or reuse, and subscribers get each once, in order", async () => {
    const job = newJob();
    const fix = (n: number, lng: number) => ({ lat: n, lng, id: `${n}-${lng}` });
    // Every fifth is a batch.
    const all = await Promise.all(upTo(50).map((n) => taken(job, n % 5 === 0 ? { locations: [fix(n, 1), fix(n, 2)] } : fix(n, 1))));
    const seqs = all.flatMap(({ results }) => results.map(({ seq }) => seq)).sort((a, b) => a - b);
    assert.deepEqual(seqs, upTo(60));
    assert.equal(new Set(all.map(({ epoch }) => epoch)).size, 1);
    await until("all to be published", () => published(job).length >= 60);
    assert.deepEqual(published(job), upTo(60));
    assert.equal(service.ably.mostInFlight(job), 1);
    const ids = service.ably.publishes(job).map(({ message }) => message.id);
    assert.equal(new Set(ids).size, ids.length);
  });

  test("retries that race with the first try get the same seq, and publish nothing new", async () => {
    const job = newJob();
    const fixes = upTo(10).map((n) => ({ lat: n, lng: 1, id: `fix-${n}` }));
    const tries = await Promise.all([...fixes, ...fixes, ...fixes].map((fix) => taken(job, fix)));
    const seqOf = new Map<number, Set<number>>();
    for (const [index, { results }] of tries.entries()) seqOf.set(index % 10, (seqOf.get(index % 10) ?? new Set()).add(results[0].seq));
    for (const seqs of seqOf.values()) assert.equal(seqs.size, 1);
    assert.deepEqual([...seqOf.values()].flatMap((seqs) => [...seqs]).sort((a, b) => a - b), upTo(10));
    assert.equal(tries.filter(({ results }) => results[0].status !== "duplicate").length, 10);
    await until("all to be published", () => published(job).length >= 10);
    await taken(job, { lat: 11, lng: 1, id: "last" });
    await until("the last to be published", () => published(job).includes(11));
    assert.deepEqual(published(job), upTo(11));
  });

  test("fifty jobs at once have a sequence each", async () => {
    const jobs = upTo(50).map(() => newJob());
    const all = await Promise.all(jobs.flatMap((job) => [taken(job, { lat: 1, lng: 1 }), taken(job, { lat: 2, lng: 2 })]));
    assert.equal(all.reduce((sum, { results }) => sum + results[0].seq, 0), 150);
    await until("all to be published", () => jobs.every((job) => published(job).length === 2));
  });

  test("fixes of two drivers of a job share its sequence, and not their retries", async () => {
    const job = newJob();
    const fix = { lat: 1, lng: 1, id: "a" };
    const results = [];
    for (const sub of ["ann", "bob", "ann", "bob"]) results.push(assertTaken(await service.post(job, fix, as("driver", [job], { sub })), job)[0]);
    assert.deepEqual(results.map(({ status, seq }) => `${status} ${seq}`), ["accepted 1", "accepted 2", "duplicate 1", "duplicate 2"]);
  });
});

describe("an object that was thrown out of memory", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  test("goes on: the same epoch, the next seq, the same state, and it still knows retries", async () => {
    const job = newJob();
    const fixes = [{ lat: 1, lng: 1, id: "a" }, { lat: 2, lng: 2, capturedAt: Date.now() - 5000 }];
    const first = await service.post(job, { locations: fixes });
    assert.deepEqual(assertTaken(first, job).map(({ seq }) => seq), [2, 1]);
    for (const seq of [3, 4]) {
      const state = await service.state(job);
      await service.evict(job);
      assert.deepEqual(assertState(await service.state(job)), assertState(state));
      const again = await service.post(job, { locations: [...fixes, { lat: seq, lng: 1 }] });
      assert.equal(again.json.epoch, first.json.epoch);
      assert.deepEqual(assertTaken(again, job).map(({ status, seq }) => `${status} ${seq}`), ["duplicate 2", "duplicate 1", `accepted ${seq}`]);
    }
    assert.equal((await service.ably.arrived(job, 3)).length, 3);
  });

  test("publishes what is not known to have reached Ably, in order, with the same ids and bytes", async () => {
    const job = newJob();
    for (const n of [1, 2, 3]) {
      const late = { lat: 89.123456789, lng: -0.1, capturedAt: Date.now() - 4000 + n };
      await service.post(job, { locations: [{ lat: n, lng: 1, speed: n / 3 }, late] });
      await service.ably.arrived(job, n);
    }
    const before = (await service.ably.arrived(job, 3)).map(({ body }) => body);
    assert.equal(new Set(before).size, 3);
    await service.evict(job);
    // As the storage is where an object died while its last message was under way.
    await service.sql(job, "UPDATE meta SET sent = 4, infl = 6");
    await service.forget(job);
    await service.post(job, { lat: 4, lng: 1 });
    const after = (await service.ably.arrived(job, 5)).slice(3);
    assert.equal(after[0]!.body, before[2]);
    assert.deepEqual([after[1]!.event.fromSeq, after[1]!.event.seq], [7, 7]);
  });

  test("whose rows are gone begins a later epoch, and never the same again", async () => {
    const job = newJob();
    const { epoch } = (await service.post(job, { lat: 1, lng: 1 })).json;
    await service.evict(job);
    await service.sql(job, "DELETE FROM log");
    await service.forget(job);
    assert.deepEqual(assertState(await service.state(job)), { jobId: job, epoch: null, seq: 0 });
    const next = (await service.post(job, { lat: 1, lng: 1 })).json;
    assert.equal(next.results[0].seq, 1);
    assert.ok(next.epoch > epoch);
  });
});
