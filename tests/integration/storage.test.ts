// What an object makes of a storage that does not answer as it should.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertTaken } from "./support/answers.ts";
import { held, refused } from "./support/fake-ably.ts";
import { Service, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

describe("a storage that is not in order", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  /** A job of three fixes, of which the second cannot be read any more. */
  const damaged = async () => {
    const job = newJob();
    for (const n of [1, 2, 3]) await service.post(job, { lat: n, lng: 1, id: `fix-${n}` });
    await service.ably.reached(job, 3);
    await service.sql(job, "UPDATE log SET body = 'damaged' WHERE seq = 2");
    return job;
  };

  test("of a row that cannot be read nothing is recognised, so that a retry brings it again; the others are", async () => {
    const job = await damaged();
    const fixes = [1, 2, 3, 9].map((n) => ({ lat: n, lng: 1, id: `fix-${n}` }));
    const results = assertTaken(await service.post(job, { locations: [...fixes, { lat: 4, lng: 1 }] }), job);
    assert.deepEqual(results.map(({ status, seq }) => `${status} ${seq}`), ["duplicate 1", "accepted 4", "duplicate 3", "accepted 5", "accepted 6"]);
  });

  test("a row that cannot be read is set aside, and the others leave, also when nobody asks for the job again", async () => {
    const job = newJob();
    service.ably.plan(job, ...Array(4).fill(refused(401, 40101)));
    for (const n of [1, 2, 3]) await service.post(job, { lat: n, lng: 1 });
    await service.ably.arrived(job, 3);
    await service.sql(job, "UPDATE log SET body = 'damaged' WHERE seq = 2");
    await service.forget(job);
    await service.ably.reached(job, 3);
    assert.deepEqual(service.ably.seqs(job), [1, 1, 1, 1, 1, 3]);
    const ref = await service.reference(job);
    await until("that to be logged", () =>
      service.logs().some(({ level, text }) => level === "error" && text.includes("SetAside") && text.includes("damaged") && text.includes(ref)),
    );
  });

  test("a statement that the storage refuses is answered 503, and logged as storage_failed", async () => {
    const job = newJob();
    await service.post(job, { lat: 1, lng: 1 });
    await service.ably.arrived(job, 1);
    await service.sql(job, "ALTER TABLE log RENAME COLUMN prints TO other");
    assertProblem(await service.post(job, { lat: 2, lng: 1 }), 503, "unavailable");
    const ref = await service.reference(job);
    await until("the reason to be logged", () =>
      service.logs().some(({ text }) => text.includes("storage_failed") && text.includes("no column named prints") && text.includes(ref)),
    );
  });

  for (const [what, code, damage] of [
    ["newer", "storage_newer", `UPDATE meta SET version = 1000, needs = '["what nobody knows yet"]'`],
    ["damaged", "storage_damaged", "UPDATE lives SET epoch = -1"],
    ["another job's", "storage_foreign", "UPDATE meta SET job = 'another'"],
  ] as const) {
    test(`a storage that is ${what} is answered 503, and logged as ${code} with the job's reference`, async () => {
      const job = newJob();
      await service.post(job, { lat: 1, lng: 1 });
      await service.evict(job);
      await service.sql(job, damage);
      await service.forget(job);
      assertProblem(await service.post(job, { lat: 2, lng: 1 }), 503, "unavailable");
      const ref = await service.reference(job);
      await until("the reason to be logged", () => service.logs().some(({ text }) => text.includes(code) && text.includes(ref)));
      const lines = service.logs().filter(({ text }) => text.includes(code) && text.includes(ref));
      for (const { level, text } of lines) {
        const { reason, ...line } = JSON.parse(text);
        assert.deepEqual([level, line], ["error", { level: "error", code, ref }]);
        assert.ok(reason.length > 0 && !text.includes(job));
      }
      assert.ok(lines.length > 0);
    });
  }

  test("no other job notices", async () => {
    const [job, other] = [await damaged(), newJob()];
    const first = held();
    service.ably.plan(other, first.behaviour);
    await service.post(other, { lat: 1, lng: 1 });
    await service.ably.arrived(other, 1);
    await service.post(job, { lat: 2, lng: 1, id: "fix-2" });
    await service.post(other, { lat: 2, lng: 1 });
    first.release();
    await service.ably.arrived(other, 2);
    // Had the instance begun anew, the first would have gone out again.
    assert.deepEqual(service.ably.publishes(other).map(({ event }) => event.seq), [1, 2]);
  });
});
