// Whether a driver is heard: heartbeats, silence and its end on the job's channel and on `admin:ops`, and what becomes of their fixes.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertTaken } from "./support/answers.ts";
import { OPERATIONS } from "./support/fake-ably.ts";
import type { Headers } from "./support/http.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const FIX = { lat: 1, lng: 2 };
const BAD = { locations: [{ lat: 91, lng: 2 }] };
const AFTER_MS = 2_000;

describe("whether a driver is heard", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ SILENT_AFTER_SECONDS: "2", TOKEN_REQUESTS: "off" });
  });
  after(() => service.stop());

  const driver = (job: string, sub = "driver-1") => as("driver", [job], { sub });
  const customer = (job: string) => as("customer", [job]);
  const send = (method: string, path: string, body: unknown, headers: Headers) =>
    service.send(method, path, { headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const beat = (job: string, body: unknown, headers: Headers = driver(job)) => send("POST", `/api/jobs/${job}/heartbeat`, body, headers);
  const put = (job: string, driver: string | null) =>
    send("PUT", `/api/jobs/${job}`, { driver, customers: ["customer-1"] }, as("dispatcher"));
  const seen = async (job: string, headers: Headers = as("service")) => (await send("GET", `/api/jobs/${job}`, undefined, headers)).json;
  const state = async (job: string) => (await service.state(job, customer(job))).json;
  const status = async (job: string, headers?: Headers) => {
    const { ok, jobId, status } = (await beat(job, { state: "no_fix" }, headers)).json;
    assert.deepEqual([ok, jobId], [true, job]);
    return status;
  };
  const registered = async () => {
    const job = newJob();
    assert.equal((await put(job, "driver-1")).status, 201);
    return job;
  };
  /** What subscribers have got: each message once, since Ably knows one that is sent again by its id. */
  const got = (job: string) => {
    const all = service.ably.publishes(job);
    return all.filter(({ message }, index) => all.findIndex((other) => other.message.id === message.id) === index);
  };
  /** The same of these names. */
  const told = (job: string, ...names: string[]) => got(job).filter(({ message }) => names.includes(message.name));
  const heardOf = (job: string, count: number) =>
    until(`${count} events of silence`, () => told(job, "driver.silent", "driver.heard").length >= count);
  /** What operators have heard of a job. */
  const reported = (job: string, kind: string) =>
    service.ably.publishes(OPERATIONS).flatMap(({ message, event }) =>
      message.name === kind ? event.jobs.filter(({ jobId }: { jobId: string }) => jobId === job) : [],
    );

  test("a heartbeat is for who has the job, and tells who had it", async () => {
    const job = await registered();
    assert.equal(await status(job), "heard");
    assert.equal((await beat(job, { state: "parked", driver: "driver-1" }, as("service"))).json.status, "heard");
    assertProblem(await beat(job, { state: "parked" }, driver(job, "driver-2")), 403, "not_a_participant");
    assertProblem(await beat(job, { state: "parked" }, as("driver")), 403, "not_a_participant");
    for (const role of ["dispatcher", "customer", "admin"] as const) {
      assertProblem(await beat(job, { state: "parked" }, as(role, [job])), 403, "not_a_driver");
    }
    for (const [body, reason, field] of [
      [{}, "required", "state"],
      [{ state: "lost" }, "out_of_range", "state"],
      [{ state: 1 }, "wrong_type", "state"],
      [[], "not_an_object", undefined],
    ] as const) {
      const problem = assertProblem(await beat(job, body), 400, "invalid_job");
      assert.deepEqual([problem.reason, problem.field], [reason, field]);
    }
    assert.equal(assertProblem(await beat(job, { state: "parked" }, as("service")), 400, "invalid_job").field, "driver");
    await put(job, "driver-2");
    assert.deepEqual([await status(job), await status(job, driver(job, "driver-2"))], ["reassigned", "heard"]);
    await send("POST", `/api/jobs/${job}/close`, { reason: "done" }, as("dispatcher"));
    assert.equal(await status(job, driver(job, "driver-2")), "job_closed");
    await send("DELETE", `/api/jobs/${job}`, undefined, as("dispatcher"));
    assert.equal(await status(job, driver(job, "driver-2")), "job_closed");
  });

  test("without a registration claims decide, and nothing is kept before the first fix", async () => {
    const job = newJob();
    assert.equal(await status(job), "heard");
    assert.equal((await state(job)).heartbeat, "no_fix");
    assert.deepEqual(await service.sql(job, "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'"), []);
    await service.post(job, FIX);
    assert.equal(await status(job), "heard");
    await service.evict(job);
    const { heartbeat, lastHeard, now } = await state(job);
    assert.equal(heartbeat, "no_fix");
    assert.ok(lastHeard <= now && lastHeard > now - 60_000);
  });

  test("silence is said once, across sleep, and its end before the fix", async () => {
    const job = await registered();
    await service.post(job, FIX, driver(job));
    const fixed = (await state(job)).lastHeard;
    await service.ably.arrived(job, 3);
    await until("it to be put to sleep", () => service.forget(job).then(() => true, () => false));
    await heardOf(job, 1);
    const [silent] = told(job, "driver.silent");
    const { epoch } = (await seen(job)) as { epoch: number };
    assert.deepEqual([silent?.event.jobId, silent?.event.epoch, silent?.event.version], [job, epoch, 1]);
    const { since, ts } = silent?.event;
    assert.ok(since <= fixed && ts >= since + AFTER_MS && ts < since + AFTER_MS + 5_000, `${ts - since}`);
    assert.match(silent?.message.id ?? "", new RegExp(`^${job}/${epoch}\\.n\\d+$`));
    assert.ok(!silent?.body.includes("driver-1"), "it names nobody");
    await service.evict(job);
    const asleep = await state(job);
    assert.deepEqual([asleep.silentSince, asleep.lastHeard, asleep.fixMissingSince], [since, since, undefined]);
    assert.equal((await seen(job)).silentSince, since);

    const [result] = assertTaken(await service.post(job, FIX, driver(job)), job);
    assert.equal(result?.seq, 2);
    await heardOf(job, 2);
    await until("the fix", () => told(job, "location.updated").length === 2);
    const names = got(job).map(({ message }) => message.name);
    assert.deepEqual(names.slice(0, 6), ["job.assigned", "job.updated", "location.updated", "driver.silent", "driver.heard", "location.updated"]);
    assert.equal(told(job, "driver.heard")[0]?.event.since, since);
    for (const kind of ["driver.silent", "driver.heard"]) {
      // Another test's may have been told just before, and the next of a kind leaves a minute later.
      await until(`${kind} on admin:ops`, () => reported(job, kind).length > 0, 80_000);
      assert.equal(reported(job, kind)[0].since, since);
    }
    await heardOf(job, 3);
    await send("POST", `/api/jobs/${job}/close`, { reason: "done" }, as("dispatcher"));
    await until("the end", () => told(job, "job.closed").length === 1);
    assert.equal(got(job).at(-1)?.message.name, "job.closed");
  });

  test("who is heard without a position is not silent, and parked is not lost", async () => {
    const job = await registered();
    await service.post(job, FIX, driver(job));
    const from = Date.now();
    let last: any;
    await until("a position to be missing", async () => {
      await beat(job, { state: "no_fix" });
      last = await state(job);
      return last.fixMissingSince !== undefined;
    });
    assert.ok(Date.now() - from > AFTER_MS - 1_000);
    assert.deepEqual([last.heartbeat, last.silentSince], ["no_fix", undefined]);
    await beat(job, { state: "parked" });
    const { heartbeat, fixMissingSince } = await seen(job, customer(job));
    assert.deepEqual([heartbeat, fixMissingSince], ["parked", undefined]);
    await service.post(job, FIX, driver(job));
    assert.equal((await state(job)).heartbeat, undefined);
    assert.deepEqual(told(job, "driver.silent"), []);
  });

  test("what becomes of fixes is told the platform, by driver, and operators hear where all is refused", async () => {
    const job = await registered();
    await service.post(job, { ...FIX, id: "x" }, driver(job));
    await service.post(job, { ...FIX, id: "x" }, driver(job));
    assert.deepEqual((await seen(job)).figures["driver-1"], { accepted: 1, late: 0, duplicate: 1, rejected: {}, repaired: 0, ahead: 0 });
    let refusals = 0;
    await until("operators to hear of it", async () => {
      assertTaken(await service.post(job, BAD, driver(job)), job);
      refusals += 1;
      return reported(job, "driver.refused").length > 0;
    });
    const all = await seen(job, as("dispatcher"));
    assert.equal(reported(job, "driver.refused")[0].since, all.refusedSince);
    assert.equal(all.figures["driver-1"].rejected.out_of_range, refusals);
    assert.ok(all.lastFixAt < all.refusedSince && all.lastHeard > all.refusedSince);
    for (const headers of [driver(job), customer(job)]) {
      const { figures, refusedSince, lastHeard, lastFixAt } = await seen(job, headers);
      assert.deepEqual([figures, refusedSince, lastHeard, lastFixAt], [undefined, undefined, all.lastHeard, all.lastFixAt]);
    }
    // The alarm keeps what no row of the log says.
    const written = `SELECT 1 FROM vitals WHERE body LIKE '%"out_of_range":${refusals}%'`;
    await until("it to be kept", async () => (await service.sql(job, written)).length > 0);
    // Operators hear of the silence that begins meanwhile.
    await until("it to be put to sleep", () => service.evict(job).then(() => true, () => false));
    assert.deepEqual((await seen(job)).figures, all.figures);
    await service.post(job, FIX, driver(job));
    assert.equal((await seen(job)).refusedSince, undefined);
  });

  test("a reassignment begins anew", async () => {
    const job = await registered();
    await beat(job, { state: "off_duty" });
    await heardOf(job, 1);
    await put(job, "driver-2");
    const { lastHeard, heartbeat, silentSince } = await seen(job);
    assert.deepEqual([lastHeard, heartbeat, silentSince], [undefined, undefined, undefined]);
    await until("the second silence", () => told(job, "driver.silent").length === 2);
    assert.deepEqual(told(job, "driver.heard"), [], "the first has ended by the reassignment");
    const [first, second] = told(job, "driver.silent");
    assert.ok(second?.event.epoch > first?.event.epoch);
  });
});

test("heartbeats need no registry, and silence may be off", async (t) => {
  const service = await Service.start({ JOB_REGISTRY: "off", SILENT_AFTER_SECONDS: "0" });
  t.after(() => service.stop());
  const job = newJob();
  const body = JSON.stringify({ state: "parked" });
  const answer = await service.send("POST", `/api/jobs/${job}/heartbeat`, { headers: as("driver", [job]), body });
  assert.deepEqual(answer.json, { ok: true, jobId: job, status: "heard" });
});
