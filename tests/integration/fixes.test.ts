// What a driver may post, and what is said of each fix.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertState, assertTaken } from "./support/answers.ts";
import { Service, as, driverOf, newJob } from "./support/service.ts";

const HOUR = 3_600_000;

describe("fixes", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  /** Posts, and gives the results in short: `accepted 1`, `rejected too_old`. */
  const outcomes = async (job: string, body: unknown, headers = driverOf(job)): Promise<string[]> =>
    assertTaken(await service.post(job, body, headers), job).map((result) => `${result.status} ${result.seq ?? result.reason}`);

  test("a single fix gets seq 1 of an epoch that is the time in seconds", async () => {
    const job = newJob();
    const answer = await service.post(job, { lat: 48.1, lng: 11.5 });
    assert.deepEqual(assertTaken(answer, job), [{ status: "accepted", seq: 1 }]);
    assert.ok(Math.abs(answer.json.epoch - Date.now() / 1000) < 30);
  });

  test("a batch is answered place by place, and gets its seqs by time", async () => {
    const job = newJob();
    const now = Date.now();
    const locations = [30, 10, 20].map((ago) => ({ lat: ago, lng: 0, capturedAt: now - ago * 1000 }));
    assert.deepEqual(await outcomes(job, { locations }), ["accepted 1", "accepted 3", "accepted 2"]);
    // As Transistorsoft's tracker sends them.
    const descending = [1, 2, 3].map((ago) => ({ lat: ago, lng: 0, capturedAt: new Date(now - ago * 1000).toISOString() }));
    assert.deepEqual(await outcomes(job, { locations: descending }), ["accepted 6", "accepted 5", "accepted 4"]);
  });

  test("a fix measured before the last live one is late, and has a seq all the same", async () => {
    const job = newJob();
    const now = Date.now();
    assert.deepEqual(await outcomes(job, { lat: 1, lng: 1, capturedAt: now - 1000 }), ["accepted 1"]);
    assert.deepEqual(await outcomes(job, { lat: 2, lng: 2, capturedAt: now - 60_000 }), ["late 2"]);
    assert.deepEqual(await outcomes(job, { lat: 3, lng: 3, capturedAt: now - 1000 }), ["accepted 3"], "a tie is live");
  });

  test("a retry is a duplicate with the seq of the first time, by id or by time and place", async () => {
    const job = newJob();
    const capturedAt = Date.now() - 5000;
    for (const [first, again] of [
      [{ lat: 1, lng: 1, id: "a" }, { lat: 1, lng: 1, id: "a" }],
      [{ lat: 1, lng: 1, capturedAt }, { lat: 1.0, lng: 1, capturedAt: new Date(capturedAt).toISOString() }],
      [{ lat: 2, lng: 2, id: "b", capturedAt }, { lat: 2, lng: 2, id: "b", capturedAt, speed: 3 }],
    ]) {
      const [result = ""] = await outcomes(job, first);
      assert.match(result, /^(accepted|late) \d+$/);
      assert.deepEqual(await outcomes(job, again), [`duplicate ${result.split(" ")[1]}`]);
      assert.deepEqual(await outcomes(job, { locations: [again, again] }), Array(2).fill(`duplicate ${result.split(" ")[1]}`));
    }
    assert.equal((await service.sql(job, "SELECT * FROM log")).length, 3);
  });

  test("twins within one post are one fix", async () => {
    const job = newJob();
    const twin = { lat: 1, lng: 1, id: "a" };
    assert.deepEqual(await outcomes(job, { locations: [twin, { lat: 2, lng: 2 }, twin] }), ["accepted 1", "accepted 2", "duplicate 1"]);
  });

  test("a fix with neither id nor capturedAt is never a duplicate", async () => {
    const job = newJob();
    for (const seq of [1, 2, 3]) assert.deepEqual(await outcomes(job, { lat: 1, lng: 1 }), [`accepted ${seq}`]);
  });

  test("an id with another position or time is refused as reused, and takes no seq", async () => {
    const job = newJob();
    const fix = { lat: 1, lng: 1, id: "a", capturedAt: Date.now() - 9000 };
    const changed = [{ ...fix, lat: 2 }, { ...fix, capturedAt: fix.capturedAt + 1 }, { lat: 1, lng: 1, id: "a" }];
    assert.deepEqual(await outcomes(job, fix), ["accepted 1"]);
    for (const other of changed) assert.deepEqual(await outcomes(job, other), ["rejected id_reused"]);
    assert.deepEqual(await outcomes(job, { lat: 3, lng: 3 }), ["accepted 2"]);
    const [result] = assertTaken(await service.post(job, changed[0]), job);
    assert.deepEqual(Object.keys(result).sort(), ["detail", "field", "index", "reason", "status"]);
    assert.deepEqual([result.field, result.index], ["id", 0]);
  });

  test("an Idempotency-Key names the fixes that have no id", async () => {
    const job = newJob();
    const headers = { ...driverOf(job), "idempotency-key": "key 1" };
    const body = { locations: [{ lat: 1, lng: 1 }, { lat: 2, lng: 2, id: "own" }, { lat: 3, lng: 3 }] };
    assert.deepEqual(await outcomes(job, body, headers), ["accepted 1", "accepted 2", "accepted 3"]);
    assert.deepEqual(await outcomes(job, body, headers), ["duplicate 1", "duplicate 2", "duplicate 3"]);
    assert.deepEqual(await outcomes(job, { lat: 1, lng: 1 }, headers), ["duplicate 1"]);
    assert.deepEqual(await outcomes(job, { lat: 9, lng: 1 }, headers), ["rejected id_reused"]);
    for (const key of ["é", "x".repeat(65), "a\tb"]) {
      const answer = await service.post(job, body, { ...headers, "idempotency-key": Buffer.from(key).toString("latin1") });
      assertProblem(answer, 400, "invalid_idempotency_key");
    }
  });

  test("a fix captured too long ago is refused and not stored, and a retry of one that was taken is not", async () => {
    const job = newJob();
    const now = Date.now();
    const locations = [{ lat: 1, lng: 1, capturedAt: now - 25 * HOUR }, { lat: 2, lng: 2, capturedAt: now - 23 * HOUR }, { lat: 3, lng: 3, capturedAt: -1 }];
    assert.deepEqual(await outcomes(job, { locations }), ["rejected too_old", "accepted 1", "rejected too_old"]);
    assert.deepEqual(await outcomes(job, { locations }), ["rejected too_old", "duplicate 1", "rejected too_old"]);
    const rows = await service.sql(job, "SELECT body FROM log");
    assert.equal(rows.length, 1);
    assert.equal(JSON.parse(rows[0].body).fixes.length, 1);
  });

  test("a clock that is ahead is said, and does not freeze the marker", async () => {
    const job = newJob();
    const ahead = { lat: 1, lng: 1, capturedAt: Date.now() + HOUR };
    assert.deepEqual(assertTaken(await service.post(job, ahead), job), [{ status: "accepted", seq: 1, clock: "ahead" }]);
    assert.deepEqual(assertTaken(await service.post(job, { lat: 2, lng: 2, capturedAt: Date.now() + 5000 }), job).map((r) => r.clock), [undefined]);
    const right = assertTaken(await service.post(job, { lat: 3, lng: 3 }), job);
    assert.deepEqual(right, [{ status: "accepted", seq: 3 }]);
    assert.equal((await service.state(job)).json.lat, 3);
  });

  test("what a phone does not know, as -1 or null, is absent; heading 360 is 0", async () => {
    const job = newJob();
    const phone = { lat: 1, lng: 2, speed: -1, heading: -1, accuracy: -1, altitude: null, capturedAt: null, id: null };
    assert.deepEqual(await outcomes(job, phone), ["accepted 1"]);
    const [first] = await service.ably.arrived(job, 1);
    assert.deepEqual(Object.keys(first!.event), ["jobId", "epoch", "seq", "fromSeq", "lat", "lng", "ts", "capturedAt"]);
    assert.deepEqual(await outcomes(job, { lat: 1, lng: 2, heading: 360, speed: 0, accuracy: 0, altitude: -5 }), ["accepted 2"]);
    const { heading, speed, accuracy, altitude } = (await service.ably.arrived(job, 2))[1]!.event;
    assert.deepEqual({ heading, speed, accuracy, altitude }, { heading: 0, speed: 0, accuracy: 0, altitude: -5 });
  });

  test("unknown fields are ignored: neither stored nor published", async () => {
    const job = newJob();
    const odd = { wifi: "zq7Xodd", battery: { level: "zq7Xodd" }, topic: ["zq7Xodd"], device_id: "zq7Xodd", driver: "zq7Xodd", seq: 99, epoch: 1, __proto__x: 1 };
    assert.deepEqual(await outcomes(job, { lat: 1, lng: 2, ...odd }), ["accepted 1"]);
    assert.deepEqual(await outcomes(job, { ...odd, locations: [{ lat: 1, lng: 2, ...odd }], lat: "not read" }), ["accepted 2"]);
    const published = await service.ably.arrived(job, 2);
    assert.ok(!JSON.stringify([await service.sql(job, "SELECT * FROM log"), published.map(({ body }) => body)]).includes("zq7Xodd"));
  });

  test("any Content-Type is fine, and none", async () => {
    const job = newJob();
    for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream", "x", undefined]) {
      assert.match((await outcomes(job, { lat: 1, lng: 2 }, { ...driverOf(job), "content-type": type }))[0]!, /^accepted/);
    }
  });

  test("a bad fix alone is 400 and names the field; in a batch it is rejected between its neighbours", async () => {
    const job = newJob();
    const good = { lat: 1, lng: 1 };
    for (const [bad, field, reason] of [
      [{ lng: 1 }, "lat", "required"],
      [{ lat: 91, lng: 1 }, "lat", "out_of_range"],
      [{ lat: "1", lng: 1 }, "lat", "wrong_type"],
      [{ lat: 1, lng: 180.1 }, "lng", "out_of_range"],
      [{ ...good, heading: 361 }, "heading", "out_of_range"],
      [{ ...good, capturedAt: "yesterday" }, "capturedAt", "not_a_time"],
      [{ ...good, capturedAt: "2026-01-31T08:00:00" }, "capturedAt", "not_a_time"],
      [{ ...good, capturedAt: 1_749_116_638 }, "capturedAt", "in_seconds"],
      [{ ...good, id: "x".repeat(65) }, "id", "invalid_id"],
      [{ ...good, id: 7 }, "id", "wrong_type"],
      [[], undefined, "not_an_object"],
    ] as const) {
      const problem = assertProblem(await service.post(job, bad), 400, "invalid_fix");
      assert.deepEqual([problem.field, problem.reason], [field, reason]);
      assert.ok(field === undefined || problem.detail.includes(`\`${field}\``));
      assert.deepEqual(await outcomes(job, { locations: [bad] }), [`rejected ${reason}`]);
    }
    const mixed = { locations: [good, { lat: 95, lng: 1 }, null, good] };
    assert.deepEqual(await outcomes(job, mixed), ["accepted 1", "rejected out_of_range", "rejected not_an_object", "accepted 2"]);
    assert.equal((await service.sql(job, "SELECT * FROM log")).length, 1);
  });

  test("a body that is no JSON, or no object, is 400 and changes nothing", async () => {
    const job = newJob();
    for (const [body, name, reason] of [
      ["", "invalid_post", "not_json"], ["{", "invalid_post", "not_json"], ["{}x", "invalid_post", "not_json"], ["nope", "invalid_post", "not_json"],
      ['{"lat":1,"lng":2,}', "invalid_post", "not_json"], ["NaN", "invalid_post", "not_json"], ['\ufeff{"lat":1,"lng":2}', "invalid_post", "byte_order_mark"],
      ["null", "invalid_fix", "not_an_object"], ["[]", "invalid_fix", "not_an_object"], ['"a"', "invalid_fix", "not_an_object"],
      ["1", "invalid_fix", "not_an_object"], ["{}", "invalid_fix", "required"],
      ['{"lat":1,"lat":2,"lng":1}', "invalid_fix", "repeated"], ['{"lat":1e999,"lng":1}', "invalid_fix", "out_of_range"],
      ['{"locations":{}}', "invalid_fix", "wrong_type"], ['{"locations":[]}', "invalid_post", "empty"], ['{"locations":"x"}', "invalid_fix", "wrong_type"],
      ['{"lat":1,"lng":2,"sentAt":1749116638}', "invalid_post", "in_seconds"], ['{"locations":[{"lat":1,"lng":2}],"sentAt":"now"}', "invalid_post", "not_a_time"],
    ] as const) {
      const problem = assertProblem(await service.post(job, body), 400, name);
      assert.equal(problem.reason, reason, body);
    }
    const latin = await service.send("POST", `/api/jobs/${job}/location`, { headers: driverOf(job), body: Buffer.from('{"lat":1,"lng":2,"id":"\xe9"}', "latin1") });
    assert.equal(assertProblem(latin, 400, "invalid_post").reason, "not_utf8");
    assert.deepEqual(assertState(await service.state(job)), { jobId: job, epoch: null, seq: 0 });
  });

  test("100 fixes are a post, 101 are none", async () => {
    const job = newJob();
    const start = Date.now() - 1000;
    const fix = (index: number) => ({ lat: index / 10, lng: 1, capturedAt: start + index });
    const fixes = (count: number) => ({ locations: Array.from({ length: count }, (_, index) => fix(index)) });
    const problem = assertProblem(await service.post(job, fixes(101)), 413, "too_large");
    assert.deepEqual([problem.reason, problem.field], ["too_many", "locations"]);
    assert.deepEqual(await outcomes(job, fixes(100)), Array.from({ length: 100 }, (_, index) => `accepted ${index + 1}`));
    const [publish] = await service.ably.arrived(job, 1);
    assert.deepEqual([publish!.event.fromSeq, publish!.event.seq, publish!.event.backfill.length], [1, 100, 99]);
  });

  test("64 KiB are taken, one byte more is 413, with and without Content-Length", async () => {
    const job = newJob();
    const fix = '{"lat":1,"lng":2}';
    const fits = Buffer.from(fix.padEnd(64 * 1024));
    const path = `/api/jobs/${job}/location`;
    const headers = driverOf(job);
    const over = Buffer.concat([fits, Buffer.from(" ")]);
    for (const body of [fits, [fits], [fits.subarray(0, 9), fits.subarray(9)]]) {
      assert.equal((await service.send("POST", path, { headers, body })).status, 200);
    }
    for (const body of [over, [over], [fits, Buffer.from(" ")], [Buffer.alloc(1024 * 1024, " ")]]) {
      const problem = assertProblem(await service.send("POST", path, { headers, body }), 413, "too_large");
      assert.match(problem.detail, /64 KiB/);
      assert.equal(problem.reason, "too_large");
    }
  });

  test("a Content-Encoding is 415, unless it says that there is none", async () => {
    const job = newJob();
    const body = gzipSync('{"lat":1,"lng":2}');
    for (const encoding of ["gzip", "br", "deflate", "x"]) {
      const headers = { ...driverOf(job), "content-encoding": encoding };
      assertProblem(await service.send("POST", `/api/jobs/${job}/location`, { headers, body }), 415, "content_encoding");
    }
    for (const encoding of ["identity", "Identity"]) {
      assert.match((await outcomes(job, { lat: 1, lng: 2 }, { ...driverOf(job), "content-encoding": encoding }))[0]!, /^accepted/);
    }
  });

  test("the back end posts for the driver whom it names, and a retry is known by that driver", async () => {
    const job = newJob();
    const fix = { lat: 1, lng: 2, id: "a" };
    const service1 = as("service");
    for (const driver of [undefined, null]) {
      assert.equal(assertProblem(await service.post(job, { ...fix, driver }, service1), 400, "invalid_fix").field, "driver");
    }
    for (const driver of ["", "*", "a b", 7, "x".repeat(129)]) {
      assert.equal(assertProblem(await service.post(job, { ...fix, driver }, service1), 400, "invalid_fix").field, "driver");
    }
    assert.deepEqual(await outcomes(job, { ...fix, driver: "driver-1" }, service1), ["accepted 1"]);
    assert.deepEqual(await outcomes(job, { locations: [fix], driver: "driver-2" }, service1), ["accepted 2"]);
    assert.deepEqual(await outcomes(job, fix, driverOf(job)), ["duplicate 1"], "the driver's own retry");
    assert.deepEqual(await outcomes(job, { ...fix, driver: "driver-2" }, driverOf(job)), ["duplicate 1"], "a driver's `driver` is ignored");
  });
});
