// What an object makes of a storage that does not answer as it should.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertTaken } from "./support/answers.ts";
import { held } from "./support/fake-ably.ts";
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
    await service.ably.arrived(job, 3);
    await service.sql(job, "UPDATE log SET body = 'damaged' WHERE seq = 2");
    return job;
  };

  test("a post that has to look at a row that cannot be read is answered 503 at once, and the log says why", async () => {
    const job = await damaged();
    const answer = await service.post(job, { lat: 2, lng: 1, id: "fix-2" });
    assertProblem(answer, 503, "unavailable");
    assert.ok(answer.header("retry-after"));
    await until("the reason to be logged", () =>
      service.logs().some(({ text }) => text.includes("object_failed") && text.includes(answer.header("x-request-id") as string)),
    );
    const ref = await service.reference(job);
    assert.ok(service.logs().some(({ text }) => text.includes("storage_damaged") && text.includes("log.body") && text.includes(ref)));
    // No other row is looked at for a fix, and none for one that is new.
    const others = [{ lat: 1, lng: 1, id: "fix-1" }, { lat: 3, lng: 1, id: "fix-3" }, { lat: 9, lng: 1, id: "fix-9" }, { lat: 4, lng: 1 }];
    const results = assertTaken(await service.post(job, { locations: others }), job);
    assert.deepEqual(results.map(({ status, seq }) => `${status} ${seq}`), ["duplicate 1", "duplicate 3", "accepted 4", "accepted 5"]);
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
    ["damaged", "storage_damaged", "UPDATE log SET body = '{}'"],
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
