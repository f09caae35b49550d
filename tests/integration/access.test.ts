// Who may post to a job and who may see it; and that nobody else touches its object.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertState, assertTaken } from "./support/answers.ts";
import type { Answer, Headers } from "./support/http.ts";
import { Service, as, driverOf, newJob, seconds } from "./support/service.ts";

/** All of an answer that does not differ from request to request. */
function bytes(answer: Answer): string {
  const headers = [...answer.headers].filter(([name]) => name !== "x-request-id" && name !== "date");
  return JSON.stringify([answer.status, headers, answer.text]);
}

describe("access to jobs", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  test("dispatchers, customers and admins post no locations", async () => {
    const job = newJob();
    for (const role of ["dispatcher", "customer", "admin"] as const) {
      assertProblem(await service.post(job, { lat: 1, lng: 2 }, as(role, [job])), 403, "not_a_driver");
    }
  });

  test("a driver posts to the jobs of their session only", async () => {
    const job = newJob();
    for (const jobs of [[], [newJob()], [job.toUpperCase()], [`${job}0`]]) {
      assertProblem(await service.post(job, { lat: 1, lng: 2 }, driverOf(...jobs)), 403, "not_a_participant");
    }
    assert.equal((await service.post(job, { lat: 1, lng: 2 }, driverOf("other", job))).status, 200);
  });

  test("participants, dispatchers, admins and the back end see a job's first state, others do not", async () => {
    const job = newJob();
    await service.post(job, { lat: 1, lng: 2 });
    for (const headers of [driverOf(job), as("customer", [job]), as("dispatcher"), as("admin"), as("service")]) {
      assert.equal((await service.state(job, headers)).json.seq, 1);
    }
    for (const headers of [driverOf(), as("customer"), as("customer", [newJob()])]) {
      assertProblem(await service.state(job, headers), 403, "not_a_participant");
    }
  });

  test("a foreign job answers the same bytes whether or not it exists", async () => {
    const [real, none] = [newJob(), newJob()];
    await service.post(real, { lat: 1, lng: 2 });
    for (const headers of [driverOf(), as("customer", ["other"])]) {
      assert.equal(bytes(await service.state(real, headers)), bytes(await service.state(none, headers)));
    }
    for (const body of [{ lat: 1, lng: 2 }, "{", "x".repeat(70_000)]) {
      assert.equal(bytes(await service.post(real, body, driverOf())), bytes(await service.post(none, body, driverOf())));
    }
    for (const role of ["driver", "customer"] as const) {
      const token = (job: string) => service.send("GET", `/api/ably-token?jobId=${job}`, { headers: as(role) });
      assert.equal(bytes(await token(real)), bytes(await token(none)));
    }
  });

  test("whoever is refused touches no object", async () => {
    const before = await service.objects();
    const job = newJob();
    const refusals: [Headers, unknown][] = [
      [{}, { lat: 1, lng: 2 }],
      [driverOf(), { lat: 1, lng: 2 }],
      [{ ...driverOf(job), "towline-user": "eve" }, { lat: 1, lng: 2 }],
      [as("admin"), { lat: 1, lng: 2 }],
      [{ ...driverOf(job), "content-encoding": "gzip" }, { lat: 1, lng: 2 }],
      [{ ...driverOf(job), "idempotency-key": "x".repeat(65) }, { lat: 1, lng: 2 }],
      [driverOf(job), "{"],
      [driverOf(job), { lat: 91, lng: 2 }],
      [driverOf(job), "x".repeat(70_000)],
      [as("service"), { lat: 1, lng: 2 }],
    ];
    for (const [headers, body] of refusals) assert.ok((await service.post(job, body, headers)).status >= 400);
    for (const headers of [{}, driverOf(), as("customer"), { ...as("admin"), "towline-user": "eve" }]) {
      assert.ok((await service.state(job, headers)).status >= 400);
    }
    const tokens: [string, Headers][] = [
      [`jobId=${job}`, {}],
      [`jobId=${job}`, driverOf()],
      [`jobId=${job}`, as("customer", ["other"])],
      ["jobId=a:b", driverOf(job)],
      ["clientId=eve", driverOf(job)],
      ["ttl=1", driverOf(job)],
      ["", as("service", [job])],
      ["format=token-request", as("driver", [job], { exp: seconds(150) })],
    ];
    for (const [query, headers] of tokens) assert.ok((await service.send("GET", `/api/ably-token?${query}`, { headers })).status >= 400);
    assert.deepEqual(await service.objects(), before);
  });

  test("no table is made before the first accepted fix: not by a look, nor by what is rejected", async () => {
    const job = newJob();
    assert.deepEqual(assertState(await service.state(job)), { jobId: job, epoch: null, seq: 0 });
    const rejected = await service.post(job, { locations: [{ lat: 95, lng: 0 }, { lat: 1, lng: 1, capturedAt: 0 }] });
    assert.deepEqual(assertTaken(rejected, job).map(({ reason }) => reason), ["out_of_range", "too_old"]);
    assert.equal(rejected.json.epoch, null);
    // Names that begin with `_` are the runtime's own.
    const tables = async () => {
      const names = (await service.sql(job, "SELECT name FROM sqlite_master WHERE type = 'table'")).map(({ name }) => name);
      return names.filter((name) => !name.startsWith("_"));
    };
    assert.deepEqual(await tables(), []);
    await service.post(job, { lat: 1, lng: 1 });
    assert.deepEqual((await tables()).sort(), ["lives", "log", "meta", "set_aside", "tasks"]);
  });

  test("a refusal arrives however long the body that nobody wants, and however many come at once", async () => {
    const job = newJob();
    const long = Buffer.alloc(200_000, " ");
    const refusals: [number, Headers, Buffer | Buffer[]][] = [
      [401, {}, long], [401, {}, [long]], [403, driverOf(), long], [413, driverOf(job), long], [413, driverOf(job), [long]],
    ];
    const all = Array.from({ length: 200 }, (_, n) => refusals[n % refusals.length]!);
    const answers = await Promise.all(all.map(([, headers, body]) => service.send("POST", `/api/jobs/${job}/location`, { headers, body })));
    assert.deepEqual(answers.map(({ status }) => status), all.map(([status]) => status));
  });

  test("a session is judged before the body is read", async () => {
    // The body never ends: an answer can only come from what arrived before it.
    const job = newJob();
    for (const headers of [{}, driverOf(), as("customer"), { ...driverOf(job), "towline-user": "eve" }]) {
      const answer = await service.unfinished("POST", `/api/jobs/${job}/location`, headers);
      assert.ok([401, 403].includes(answer.status));
    }
  });
});

describe("the first state", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  test("before the first fix there is none", async () => {
    const job = newJob();
    const answer = await service.state(job);
    assert.deepEqual(assertState(answer), { jobId: job, epoch: null, seq: 0 });
  });

  test("after a fix it equals the event that subscribers received", async () => {
    const job = newJob();
    const fix = { lat: 48.137154, lng: 11.576124, speed: 13.9, heading: 271.5, accuracy: 4.2, altitude: 519.1, capturedAt: Date.now() - 400, id: "a" };
    await service.post(job, fix);
    const [publish] = await service.ably.arrived(job, 1);
    const { id, ...measured } = fix;
    const { ts, epoch, ...event } = publish!.event;
    assert.deepEqual(event, { jobId: job, seq: 1, fromSeq: 1, ...measured });
    assert.ok(Math.abs(ts - Date.now()) < 30_000);
    assert.deepEqual(assertState(await service.state(job, as("customer", [job]))), publish!.event);
  });

  test("it is the last live fix, with its own seq, and no backfill", async () => {
    const job = newJob();
    const now = Date.now();
    const fix = (ago: number) => ({ lat: ago, lng: 1, capturedAt: now - ago });
    await service.post(job, { locations: [fix(3), fix(2), fix(1)] });
    await service.post(job, { locations: [fix(50), fix(60)] });
    const state = (await service.state(job)).json;
    assert.deepEqual([state.seq, state.fromSeq, state.lat, state.backfill, state.headSeq], [3, 3, 1, undefined, undefined]);
    const [updated, backfilled] = await service.ably.arrived(job, 2);
    assert.deepEqual([updated!.message.name, updated!.event.fromSeq, updated!.event.seq], ["location.updated", 1, 3]);
    assert.deepEqual(updated!.event.backfill, [[1, now - 3, 3, 1], [2, now - 2, 2, 1]]);
    assert.equal(backfilled!.message.name, "location.backfilled");
    const { ts, epoch, ...late } = backfilled!.event;
    assert.deepEqual(late, { jobId: job, fromSeq: 4, seq: 5, backfill: [[4, now - 60, 60, 1], [5, now - 50, 50, 1]] });
  });
});
