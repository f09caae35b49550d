// What operators hear on `admin:ops`: each change of a job once, however many jobs change, and whatever fails on the way.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OPERATIONS, refused } from "./support/fake-ably.ts";
import { Service, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const fix = { lat: 77.123456, lng: -12.654321, id: "fix-of-the-test" };
const cause = (kind: string, status: number, code: number) => ({ class: kind, status, code });

describe("what operators hear", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  const told = (kind: string, job: string) =>
    service.ably
      .publishes(OPERATIONS)
      .filter(({ message }) => message.name === kind)
      .flatMap(({ event }) => event.jobs.filter(({ jobId }: { jobId: string }) => jobId === job));
  const hear = (kind: string, job: string) => until(`${kind} of ${job}`, () => told(kind, job).length > 0, 30_000);

  test("what many jobs wait for is one message, and so is its end", async () => {
    const jobs = Array.from({ length: 20 }, newJob);
    for (const job of jobs) service.ably.plan(job, refused(401, 40101));
    const began = Date.now();
    for (const job of jobs) await service.post(job, fix);
    await Promise.all(jobs.map((job) => hear("outbox.resumed", job)));
    for (const kind of ["outbox.held", "outbox.resumed"]) {
      const messages = service.ably.publishes(OPERATIONS).filter(({ message }) => message.name === kind);
      assert.equal(messages.length, 1, kind);
      const [{ message, event }] = messages as [(typeof messages)[0]];
      assert.match(message.id, /^ops:\d+:\d+$/);
      assert.equal(event.count, 20);
      for (const job of jobs) {
        const [{ ref, at, since, ...more }, ...again] = told(kind, job);
        assert.deepEqual(again, []);
        assert.equal(ref, await service.reference(job));
        assert.ok(at >= began - 1000 && at <= event.ts);
        const expected = { kind, jobId: job, ...(kind === "outbox.held" && { cause: cause("access", 401, 40101) }) };
        assert.deepEqual(more, expected);
        if (kind === "outbox.resumed") assert.ok(since >= began - 1000 && since < at);
      }
    }
    // They know a job and no person, nor where anybody is.
    for (const { body } of service.ably.publishes(OPERATIONS)) assert.doesNotMatch(body, /77\.123|12\.654|fix-of|driver-1/);
    // And each of it stands in the log, as an error where somebody has to act.
    const ref = await service.reference(jobs[0]!);
    const lines = service.logs().filter(({ text }) => text.includes(ref)).map(({ level, text }) => [level, JSON.parse(text).code]);
    assert.deepEqual(lines, [["error", "publish_failed"], ["log", "publish_resumed"]]);
    await until("nothing to be left to do", async () => (await service.sql(jobs[0]!, "SELECT * FROM tasks")).length === 0);
  });

  test("what is set aside is told though neither object lives to see it through", async () => {
    const job = newJob();
    service.ably.plan(job, refused(400, 40009));
    service.ably.plan(OPERATIONS, ...Array(4).fill(refused(503, 50003)));
    const before = service.ably.publishes(OPERATIONS).length;
    await service.post(job, fix);
    await service.ably.arrived(OPERATIONS, before + 4);
    await service.forgetOperations();
    const all = (await service.ably.arrived(OPERATIONS, before + 5)).slice(before);
    assert.equal(new Set(all.map(({ body }) => body)).size, 1, "the same bytes each time");
    assert.deepEqual(told("outbox.set_aside", job)[0].cause, cause("message", 400, 40009));
    await until("it to be logged", () => service.logs().some(({ text }) => text.includes("ops_publish_resumed")));
    const failures = service.logs().filter(({ text }) => text.includes("ops_publish_failed"));
    assert.deepEqual(failures.map(({ level }) => level), ["error"]);
  });
});
