// Nothing leaves a job before its row is durable: not the answer, not a publish, and not what is handed to a publisher. A commit that
// fails shows it, since what waits for that is lost with it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertTaken } from "./support/answers.ts";
import { newJob, Service } from "./support/service.ts";

/** The next row of the log is written and read as any other, and its commit fails. */
const FAIL = [
  "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
  "CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
  "CREATE TRIGGER fail AFTER INSERT ON log BEGIN INSERT INTO child VALUES (1); END",
];

/** Which position each publish of the second place held. */
const second = ({ ably }: Service, job: string) => ably.publishes(job).flatMap(({ event }) => (event.seq === 2 ? [event.lat] : []));

describe("a commit that fails", () => {
  for (const publishing of ["direct", "batched"]) {
    test(`lets nothing out: ${publishing}`, async (t) => {
      const service = await Service.start({ ABLY_PUBLISHING: publishing, ABLY_PUBLISHERS: "1" });
      t.after(() => service.stop());
      const job = newJob();
      assertTaken(await service.post(job, { lat: 1, lng: 1 }), job);
      await service.ably.reached(job, 1);
      // Then the next message may leave at once.
      await delay(300);
      for (const statement of FAIL) await service.sql(job, statement);
      assert.equal((await service.post(job, { lat: 2, lng: 1 })).status, 503);
      // As long as a message that had left would take many times over.
      await delay(500);
      assert.deepEqual(second(service, job), []);
      assert.ok(!service.logs().some(({ text }) => text.includes("storage_failed")), "it is the commit that failed, and no statement");
      await service.sql(job, "DROP TRIGGER fail");
      const [result] = assertTaken(await service.post(job, { lat: 3, lng: 1 }), job);
      assert.equal(result?.seq, 2);
      await service.ably.reached(job, 2);
      assert.deepEqual(second(service, job), [3]);
    });
  }
});
