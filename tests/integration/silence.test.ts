// Whether a job's driver is heard of: heartbeats, silence and its end, what is missing, and figures.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertTaken } from "./support/answers.ts";
import { OPERATIONS } from "./support/fake-ably.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const FIX = { lat: 77.123456, lng: -12.654321 };

describe("whether a job's driver is heard of", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ SILENT_AFTER_SECONDS: "1" });
  });
  after(() => service.stop());

  const driver = (job: string, sub = "driver-1") => as("driver", [job], { sub });
  const customer = (job: string) => as("customer", [job], { sub: "customer-1" });
  const send = (method: string, path: string, headers: Record<string, string>, body?: unknown) =>
    service.send(method, path, { headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const put = async (job: string, sub: string | null = "driver-1") =>
    assert.ok((await send("PUT", `/api/jobs/${job}`, as("service"), { driver: sub, customers: ["customer-1"] })).status < 300);
  const beat = (job: string, headers: Record<string, string>, body: unknown = { state: "no_fix" }) =>
    send("POST", `/api/jobs/${job}/heartbeat`, headers, body);
  const state = async (job: string) => (await send("GET", `/api/jobs/${job}/location`, customer(job))).json;
  const names = (job: string) => service.ably.publishes(job).map(({ message }) => message.name);
  const operators = (kind: string, job: string) =>
    service.ably
      .publishes(OPERATIONS)
      .filter(({ message }) => message.name === kind)
      .flatMap(({ event }) => event.jobs.filter(({ jobId }: { jobId: string }) => jobId === job));

  test("silence is told on the job's channel and to operators, once, and so is its end", async () => {
    const job = newJob();
    await put(job);
    assertTaken(await send("POST", `/api/jobs/${job}/location`, driver(job), FIX), job);
    const { lastHeard, now } = await state(job);
    assert.ok(lastHeard <= now && lastHeard > now - 10_000);
    await until("the silence", () => names(job).includes("driver.silent"));
    const [silent] = service.ably.publishes(job).filter(({ message }) => message.name === "driver.silent");
    assert.deepEqual(Object.keys(silent?.event).sort(), ["epoch", "jobId", "since", "ts", "version"], "ids, versions and times");
    assert.deepEqual([silent?.event.since, (await state(job)).silentSince], [lastHeard, lastHeard]);
    assert.deepEqual((await beat(job, driver(job))).json, { ok: true, jobId: job, status: "heard" });
    await until("that it is over", () => names(job).includes("driver.heard"));
    const seen = await state(job);
    assert.equal(seen.heartbeat, "no_fix");
    assert.ok(seen.lastHeard > lastHeard);
    for (const kind of ["driver.silent", "driver.heard"]) {
      await until(`${kind} to operators`, () => operators(kind, job).length > 0, 30_000);
    }
    await send("POST", `/api/jobs/${job}/close`, as("service"), { reason: "done" });
    await until("the end", () => names(job).includes("job.closed"));
    const told = names(job).filter((name) => name?.startsWith("driver.") || name === "job.closed");
    assert.deepEqual(told.slice(0, 2), ["driver.silent", "driver.heard"]);
    assert.equal(told.at(-1), "job.closed");
    for (const { body } of service.ably.publishes(OPERATIONS)) assert.doesNotMatch(body, /77\.123|12\.654|driver-1/);
  });

  test("a heartbeat is the driver's alone, and says what to do once the job is another's, or closed", async () => {
    const job = newJob();
    await put(job);
    for (const headers of [customer(job), as("dispatcher")]) assertProblem(await beat(job, headers), 403, "not_a_driver");
    assertProblem(await beat(job, as("driver", [newJob()])), 403, "not_a_participant");
    assertProblem(await beat(job, driver(job, "driver-9")), 403, "not_a_participant");
    for (const [body, field] of [[{}, "state"], [{ state: "asleep" }, "state"]] as const) {
      assert.equal(assertProblem(await beat(job, driver(job), body), 400, "invalid_job").field, field);
    }
    assert.equal((await beat(job, as("service"), { state: "parked", driver: "driver-1" })).json.status, "heard");
    await put(job, "driver-2");
    assert.equal((await beat(job, driver(job))).json.status, "reassigned");
    assert.equal((await state(job)).heartbeat, undefined, "of the driver before nothing is told as the new one's");
    await send("POST", `/api/jobs/${job}/close`, as("service"), { reason: "done" });
    assert.equal((await beat(job, driver(job, "driver-2"))).json.status, "job_closed");
  });

  test("only a parked vehicle is excused for an old position", async () => {
    const job = newJob();
    await put(job);
    assertTaken(await send("POST", `/api/jobs/${job}/location`, driver(job), FIX), job);
    await until("a position to be missing", async () => {
      await beat(job, driver(job));
      return (await state(job)).fixMissingSince !== undefined;
    });
    await beat(job, driver(job), { state: "parked" });
    assert.equal((await state(job)).fixMissingSince, undefined);
  });

  test("figures are for who runs the platform, and of a driver whose every fix is refused operators hear", async () => {
    const job = newJob();
    await put(job);
    const post = (body: unknown) => send("POST", `/api/jobs/${job}/location`, driver(job), body);
    const fix = { ...FIX, id: "one" };
    for (const body of [fix, fix, { locations: [{ lat: 91, lng: 1 }, { ...FIX, capturedAt: 1_000_000_000_000 }] }]) await post(body);
    const told = await send("GET", `/api/jobs/${job}`, as("dispatcher"));
    const rejected = { out_of_range: 1, too_old: 1 };
    assert.deepEqual(told.json.figures, { "driver-1": { accepted: 1, late: 0, duplicate: 1, rejected, repaired: 0, ahead: 0 } });
    assert.ok(told.json.lastFixAt <= told.json.lastHeard && told.json.refusedSince === told.json.lastHeard);
    for (const headers of [driver(job), customer(job)]) {
      const { json } = await send("GET", `/api/jobs/${job}`, headers);
      assert.deepEqual([json.figures, json.refusedSince, json.lastFixAt], [undefined, undefined, told.json.lastFixAt]);
    }
    await until("operators to hear", () => operators("driver.refused", job).length === 1, 30_000);
    assert.doesNotMatch(JSON.stringify(operators("driver.refused", job)), /driver-1/);
    await post({ ...FIX, id: "two" });
    assert.equal((await send("GET", `/api/jobs/${job}`, as("admin"))).json.refusedSince, undefined);
  });

  test("of a job that is not registered nobody's silence is told, and a heartbeat alone keeps nothing", async () => {
    const job = newJob();
    assert.equal((await beat(job, driver(job), { state: "parked" })).json.status, "heard");
    assert.equal((await state(job)).heartbeat, "parked");
    const tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'";
    assert.deepEqual(await service.sql(job, tables), []);
  });
});
