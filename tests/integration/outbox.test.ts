// What of a job has not reached Ably: that it leaves by itself, that operators see it, and what a job takes at most.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertTaken } from "./support/answers.ts";
import { held, refused } from "./support/fake-ably.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const admin = as("admin");
const fixes = (count: number, lat = 1) => ({ locations: Array.from({ length: count }, () => ({ lat, lng: 1 })) });

describe("the outbox of a job", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  const seen = (job: string, headers = admin) => service.send("GET", `/api/jobs/${job}/outbox`, { headers });
  const retry = (job: string, body: unknown, headers = admin) =>
    service.send("POST", `/api/jobs/${job}/outbox/retry`, { headers, body: JSON.stringify(body) });

  test("what is accepted leaves though the object has slept and nobody asks for it again", async () => {
    const job = newJob();
    service.ably.plan(job, ...Array(4).fill(refused(503, 50003)));
    await service.post(job, fixes(2));
    await service.ably.arrived(job, 4);
    await service.forget(job);
    const all = await service.ably.arrived(job, 5);
    assert.equal(new Set(all.map(({ body }) => body)).size, 1, "the same bytes each time");
    // And in the end it is written down, without a request.
    await until("it to be written down", async () => (await service.sql(job, "SELECT 1 FROM meta WHERE sent = 2")).length > 0);
    assert.deepEqual(await service.sql(job, "SELECT * FROM tasks"), []);
  });

  test("operators see what waits and why", async () => {
    const job = newJob();
    const { epoch, ref, ...idle } = (await seen(job)).json;
    assert.deepEqual([epoch, idle], [null, { jobId: job, state: "idle", waiting: 0, inFlight: 0, setAside: [] }]);
    assert.equal(ref, await service.reference(job));

    const first = held();
    service.ably.plan(job, first.behaviour, refused(401, 40101), refused(400, 40009));
    await service.post(job, fixes(2));
    await service.ably.arrived(job, 1);
    await service.post(job, fixes(3));
    const sending = (await seen(job, as("service"))).json;
    assert.deepEqual([sending.state, sending.waiting, sending.inFlight], ["sending", 3, 2]);
    assert.ok(sending.oldestMs >= 0);
    first.release();
    await service.ably.arrived(job, 2);
    await until("the refusal to be known", async () => (await seen(job)).json.state === "held");
    const { cause, retryAt, waiting, inFlight } = (await seen(job)).json;
    assert.deepEqual([cause, waiting, inFlight], [{ class: "access", status: 401, code: 40101 }, 3, 0]);
    assert.ok(retryAt > Date.now() - 1000);
    await service.ably.arrived(job, 3);
    await until("it to be given up", async () => (await seen(job)).json.setAside.length === 1);
    const [{ ts, ...range }] = (await seen(job)).json.setAside;
    assert.deepEqual(range, { epoch: sending.epoch, fromSeq: 3, seq: 5, cause: { class: "message", status: 400, code: 40009 } });
    assert.ok(ts <= Date.now());
    for (const role of ["driver", "dispatcher", "customer"] as const) {
      assertProblem(await seen(job, as(role, [job])), 403, "not_an_operator");
      assertProblem(await retry(job, range, as(role, [job])), 403, "not_an_operator");
    }

    // Sent again it moves no marker, and is what it was.
    for (const body of [{}, [], "x", { epoch: "1", fromSeq: 1, seq: 1 }, { epoch: 1, fromSeq: -1, seq: 1 }]) {
      assertProblem(await retry(job, body), 400, "invalid_range");
    }
    assertProblem(await retry(job, { ...range, seq: 4 }), 409, "not_set_aside");
    const again = await retry(job, range);
    assert.deepEqual([again.status, again.json], [202, { ok: true, epoch: sending.epoch, fromSeq: 3, seq: 5 }]);
    const all = await service.ably.arrived(job, 4);
    assert.deepEqual([all[3]!.message.name, all[3]!.message.id], ["location.backfilled", all[2]!.message.id]);
    assert.deepEqual(all[3]!.event.backfill.map(([seq]: number[]) => seq), [3, 4, 5]);
    await until("that to be known", async () => (await seen(job)).json.setAside.length === 0);
    assertProblem(await retry(job, range), 409, "not_set_aside");
  });

  test("an outage is logged when it begins and when it is over, and not for each fix", async () => {
    const job = newJob();
    service.ably.plan(job, ...Array(3).fill(refused(503, 50003)));
    for (let n = 0; n < 5; n += 1) await service.post(job, fixes(1));
    await service.ably.reached(job, 5);
    const ref = await service.reference(job);
    const codes = () =>
      service.logs().filter(({ text }) => text.includes(ref)).map(({ level, text }) => [level, JSON.parse(text).code]);
    await until("it to be over", () => codes().length >= 2);
    assert.deepEqual(codes(), [["warn", "publish_failed"], ["log", "publish_resumed"]]);
  });
});

describe("what a job takes", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ JOB_FIX_RATE: "50", JOB_FIX_BURST: "100", JOB_UNSENT_MAX: "120", JOB_TRAIL_MAX: "130" });
  });
  after(() => service.stop());

  test("more new fixes than it may are refused as a whole, until there is room; a retry is answered all the same", async () => {
    const job = newJob();
    const named = { locations: Array.from({ length: 100 }, (_, n) => ({ lat: 1, lng: 1, id: `n-${n}` })) };
    assertTaken(await service.post(job, named), job);
    const more = await service.post(job, fixes(20));
    assertProblem(more, 429, "too_fast");
    assert.equal(more.header("retry-after"), "1");
    assert.deepEqual([...new Set(assertTaken(await service.post(job, named), job).map(({ status }) => status))], ["duplicate"]);
    await until("there to be room", async () => (await service.post(job, fixes(25))).status === 200);
    assert.equal((await service.sql(job, "SELECT max(seq) AS seq FROM log"))[0].seq, 125);
  });

  test("while too many wait for Ably it takes no new ones", async () => {
    const job = newJob();
    const first = held();
    service.ably.plan(job, first.behaviour);
    assertTaken(await service.post(job, fixes(99)), job);
    const named = { lat: 1, lng: 1, id: "a" };
    await until("there to be room", async () => (await service.post(job, named)).status === 200);
    let answer = await service.post(job, fixes(30));
    await until("the rate to be no matter", async () => (answer = await service.post(job, fixes(30))).status !== 429);
    assertProblem(answer, 503, "backlog");
    assert.ok(Number(answer.header("retry-after")) > 0);
    assert.equal(assertTaken(await service.post(job, named), job)[0].status, "duplicate");
    first.release();
    await service.ably.reached(job, 100);
    await until("them to be taken", async () => (await service.post(job, fixes(1))).status === 200);
  });

  test("what its trail has no room for is told to be dropped, since no retry helps", async () => {
    const job = newJob();
    assertTaken(await service.post(job, fixes(100)), job);
    await service.ably.reached(job, 100);
    let answer = await service.post(job, fixes(40));
    await until("the rate to be no matter", async () => answer.status === 200 || (answer = await service.post(job, fixes(40))).status === 200);
    const results = assertTaken(answer, job);
    assert.deepEqual([...results.slice(0, 30).map(({ seq }) => seq)], Array.from({ length: 30 }, (_, n) => 101 + n));
    for (const [index, { detail, ...result }] of results.entries()) {
      if (index >= 30) assert.deepEqual(result, { status: "rejected", index, reason: "trail_full" });
    }
  });
});
