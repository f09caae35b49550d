// Events of the platform: in order with the fixes, once, and for who may tell them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertPrivate, assertProblem, assertTaken } from "./support/answers.ts";
import { held, refused, resets } from "./support/fake-ably.ts";
import type { Answer, Headers } from "./support/http.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const FIX = { lat: 1, lng: 2 };
const EVENT = { id: "photo-7", type: "photo.added", version: 3 };

describe("events of the platform", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ TOKEN_REQUESTS: "off", JOB_UNSENT_MAX: "100" });
  });
  after(() => service.stop());

  const tell = (job: string, body: unknown = EVENT, headers: Headers = as("service")) =>
    service.send("POST", `/api/jobs/${job}/events`, { headers, body: typeof body === "string" ? body : JSON.stringify(body) });
  const put = (job: string, body: object) =>
    service.send("PUT", `/api/jobs/${job}`, { headers: as("dispatcher"), body: JSON.stringify(body) });
  const told = (answer: Answer, job: string) => {
    assert.equal(answer.status, 202, answer.text);
    assertPrivate(answer);
    const { ok, jobId, id, status, epoch, afterSeq, ...rest } = answer.json;
    assert.deepEqual([ok, jobId, rest], [true, job, {}]);
    return { id, status, epoch, afterSeq };
  };
  const published = (job: string) =>
    service.ably.publishes(job).map(({ message, event }) => [message.name, event.id ?? event.seq, event.afterSeq]);

  test("one leaves after the fixes that came before it, and names nobody", async () => {
    const job = newJob();
    const first = held();
    service.ably.plan(job, first.behaviour);
    await service.post(job, FIX);
    await service.ably.arrived(job, 1);
    await service.post(job, FIX);
    const { epoch, ...rest } = told(await tell(job), job);
    assert.deepEqual(rest, { id: "photo-7", status: "accepted", afterSeq: 2 });
    await service.post(job, FIX);
    first.release();
    const all = await service.ably.arrived(job, 4);
    assert.deepEqual(published(job), [
      ["location.updated", 1, undefined],
      ["location.updated", 2, undefined],
      ["job.updated", "photo-7", 2],
      ["location.updated", 3, undefined],
    ]);
    const { ts, ...event } = all[2]?.event;
    assert.deepEqual(event, { jobId: job, epoch, afterSeq: 2, ...EVENT });
    assert.ok(Math.abs(ts - Date.now()) < 30_000);
    assert.ok(!all[2]?.message.id.includes("photo-7"), "nothing in Ably's id is the platform's to choose");
  });

  test("the same again is told once, after failures and a sleep too; other content is refused", async () => {
    const job = newJob();
    service.ably.plan(job, resets, refused(503, 50003));
    const { epoch } = told(await tell(job), job);
    const tries = await service.ably.arrived(job, 3);
    assert.equal(new Set(tries.map(({ body }) => body)).size, 1, "the same bytes at each retry");
    const duplicate = { id: "photo-7", status: "duplicate", epoch, afterSeq: 0 };
    assert.deepEqual(told(await tell(job), job), duplicate);
    const confirmed = "SELECT 1 FROM meta WHERE sent >= (SELECT max(n) FROM log)";
    await until("the object to come to rest", async () => (await service.sql(job, confirmed)).length > 0);
    await service.forget(job);
    assert.deepEqual(told(await tell(job, EVENT, as("dispatcher")), job), duplicate);
    for (const other of [{ version: 4 }, { type: "photo.removed" }]) assertProblem(await tell(job, { ...EVENT, ...other }), 409, "id_reused");
    assert.equal(told(await tell(job, { ...EVENT, id: "photo-8" }), job).status, "accepted");
    await service.ably.arrived(job, 4);
    assert.deepEqual(published(job).map(([, id]) => id), ["photo-7", "photo-7", "photo-7", "photo-8"]);
    assert.equal((await service.sql(job, "SELECT n FROM log")).length, 2, "a row an event");
  });

  test("dispatcher, admin and service tell them, and nothing is touched for others or for what is no event", async () => {
    const job = newJob();
    for (const role of ["driver", "customer"] as const) {
      assertProblem(await tell(job, "{", as(role, [job])), 403, "not_a_dispatcher");
    }
    for (const [body, field, reason] of [
      ["", undefined, "not_an_object"],
      ["[]", undefined, "not_an_object"],
      [{ ...EVENT, note: "Ann waits by the blue door" }, undefined, "unknown_member"],
      [`{"id":"a","id":"a","type":"b","version":1}`, "id", "repeated"],
      [{ ...EVENT, id: "" }, "id", "invalid_id"],
      [{ ...EVENT, id: "x".repeat(65) }, "id", "invalid_id"],
      [{ ...EVENT, type: "Ann waits" }, "type", "out_of_range"],
      [{ ...EVENT, type: "registration" }, "type", "out_of_range"],
      [{ ...EVENT, version: 2 ** 53 }, "version", "out_of_range"],
      [{ ...EVENT, version: 1.5 }, "version", "out_of_range"],
      [{ ...EVENT, version: "1" }, "version", "wrong_type"],
      [{ id: "a", type: "b" }, "version", "required"],
    ] as const) {
      const problem = assertProblem(await tell(job, body), 400, "invalid_event");
      assert.deepEqual([problem.field, problem.reason], [field, reason], JSON.stringify(body));
      assert.ok(!JSON.stringify(problem).includes("Ann"), "nothing that was sent is quoted");
    }
    assertProblem(await tell(job, " ".repeat(64 * 1024 + 1)), 413, "too_large");
    assertProblem(await tell(job, EVENT, { ...as("service"), "content-encoding": "gzip" }), 415, "content_encoding");
    assertProblem(await service.send("GET", `/api/jobs/${job}/events`, { headers: as("service") }), 405, "method_not_allowed");
    const tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'";
    assert.deepEqual(await service.sql(job, tables), [], "nothing is kept");
    for (const role of ["dispatcher", "admin", "service"] as const) {
      assert.equal(told(await tell(job, { ...EVENT, id: role }, as(role)), job).status, "accepted");
    }
    assert.equal((await service.state(job)).json.seq, 0, "it has begun, without a fix");
    assert.equal(assertTaken(await service.post(job, FIX), job)[0].seq, 1);
  });

  test("every change of what is registered is one too, and nothing else", async () => {
    const job = newJob();
    const body = { driver: "driver-1", customers: ["customer-1"] };
    const change = (method: string, user: string) => service.send(method, `/api/jobs/${job}/customers/${user}`, { headers: as("admin") });
    await put(job, body);
    await put(job, body);
    await service.post(job, FIX);
    await change("PUT", "customer-2");
    await change("PUT", "customer-2");
    await change("DELETE", "customer-3");
    await change("DELETE", "customer-2");
    await service.ably.arrived(job, 5);
    await put(job, { ...body, driver: "driver-2" });
    await tell(job);
    const all = await service.ably.arrived(job, 8);
    assert.deepEqual(published(job), [
      ["job.assigned", undefined, 0],
      ["job.updated", "v1", 0],
      ["location.updated", 1, undefined],
      ["job.updated", "v2", 1],
      ["job.updated", "v3", 1],
      ["job.reassigned", undefined, 0],
      ["job.updated", "v4", 0],
      ["job.updated", "photo-7", 0],
    ]);
    assert.deepEqual(all.filter(({ event }) => event.type === "registration").map(({ event }) => event.version), [1, 2, 3, 4]);
    assert.equal(new Set(all.map(({ message }) => message.id)).size, 8);
  });

  test("a job that is closed, or forgotten, takes no more; what was told stays told as long as it is kept", async () => {
    const job = newJob();
    await put(job, { driver: "driver-1", customers: [] });
    told(await tell(job), job);
    await service.send("POST", `/api/jobs/${job}/close`, { headers: as("dispatcher"), body: '{"reason":"done"}' });
    assertProblem(await tell(job, { ...EVENT, id: "later" }), 409, "job_closed");
    assert.equal(told(await tell(job), job).status, "duplicate");
    await service.send("DELETE", `/api/jobs/${job}`, { headers: as("dispatcher") });
    assertProblem(await tell(job), 409, "job_closed");
    const kept = await service.sql(job, "SELECT body FROM log");
    assert.ok(!JSON.stringify(kept).includes("photo-7"), "a forgotten job keeps no id");
  });

  test("too much that waits is refused, and a retry of what waits is not", async () => {
    const job = newJob();
    const first = held();
    service.ably.plan(job, first.behaviour);
    await service.post(job, { locations: Array.from({ length: 99 }, () => FIX) });
    told(await tell(job, { ...EVENT, id: "5" }), job);
    const refusal = await tell(job, { ...EVENT, id: "6" });
    assertProblem(refusal, 503, "backlog");
    assert.equal(refusal.header("retry-after"), "30");
    assert.equal(told(await tell(job, { ...EVENT, id: "5" }), job).status, "duplicate");
    first.release();
    await service.ably.arrived(job, 2);
    await until("room", async () => (await tell(job, { ...EVENT, id: "6" })).status === 202);
  });
});
