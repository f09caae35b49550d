// The trail: every fix in order, a page at a time, in each format, to those who may see it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertPrivate, assertProblem, assertTaken } from "./support/answers.ts";
import { refused } from "./support/fake-ably.ts";
import type { Answer, Headers } from "./support/http.ts";
import { Service, as, driverOf, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

describe("the trail", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ CORS_ORIGINS: "https://app.example" });
  });
  after(() => service.stop());

  const trail = (job: string, query = "", headers: Headers = driverOf(job)): Promise<Answer> =>
    service.send("GET", `/api/jobs/${job}/locations${query}`, { headers });
  const seqs = (page: any): number[] => page.locations.map(({ seq }: { seq: number }) => seq);
  /** The path of the page after this one, if there is one. */
  const link = (answer: Answer) => /^<(\/[^>]+)>; rel="next"$/.exec(answer.header("link") ?? "")?.[1];
  /** Posts so many fixes, and gives their epoch. */
  const drive = async (job: string, count: number): Promise<number> => {
    const now = Date.now();
    for (let from = 0; from < count; from += 100) {
      const fixes = Array.from({ length: Math.min(100, count - from) }, (_, n) => ({ lat: 48, lng: (from + n) / 100, capturedAt: now - count + from + n }));
      assertTaken(await service.post(job, { locations: fixes }), job);
    }
    return (await service.state(job)).json.epoch;
  };

  test("a job without a fix has an empty one, and gets no table by it", async () => {
    const job = newJob();
    const answer = await trail(job);
    assert.equal(answer.status, 200);
    assertPrivate(answer);
    assert.equal(answer.header("content-type"), "application/json");
    assert.equal(answer.header("link"), undefined);
    assert.deepEqual(answer.json, { jobId: job, epoch: null, published: null, setAside: [], locations: [], next: null });
    assert.deepEqual((await service.sql(job, "SELECT name FROM sqlite_master WHERE name = 'log'")), []);
  });

  test("a fix is told with what the phone said, and whether it was late; to a customer without names", async () => {
    const job = newJob();
    const now = Date.now();
    await service.post(job, { lat: 1.5, lng: 2, capturedAt: now - 10, id: "a", speed: 3, altitude: 519.1 });
    await service.post(job, { lat: 2, lng: 2, capturedAt: now - 20 }, { ...driverOf(job), "idempotency-key": "key" });
    await service.post(job, { lat: 3, lng: 2, capturedAt: now + 3_600_000 });
    await until("all to be published", async () => (await trail(job)).json.published?.seq === 3);
    const page = (await trail(job, "", as("dispatcher"))).json;
    const { epoch } = page;
    const times = page.locations.map(({ ts }: { ts: number }) => ts);
    const [first, second, third] = [{ epoch, seq: 1, ts: times[0] }, { epoch, seq: 2, ts: times[1] }, { epoch, seq: 3, ts: times[2] }];
    const measured = [
      { ...first, capturedAt: now - 10, lat: 1.5, lng: 2, speed: 3, altitude: 519.1 },
      { ...second, capturedAt: now - 20, late: true, lat: 2, lng: 2 },
      { ...third, capturedAt: times[2], phoneTime: now + 3_600_000, clock: "ahead", lat: 3, lng: 2 },
    ];
    const names = [{ driver: "driver-1", id: "a" }, { driver: "driver-1", id: "key#0" }, { driver: "driver-1" }];
    const named = measured.map((location, index) => ({ ...location, ...names[index] }));
    const whole = { jobId: job, epoch, published: { epoch, seq: 3 }, setAside: [], next: null };
    for (const headers of [driverOf(job), as("dispatcher"), as("admin"), as("service")]) {
      assert.deepEqual((await trail(job, "", headers)).json, { ...whole, locations: named });
    }
    assert.deepEqual((await trail(job, "", as("customer", [job]))).json, { ...whole, locations: measured });
    for (const format of ["json", "geojson", "geojson-line", "gpx"]) {
      const { text } = await trail(job, `?format=${format}`, as("customer", [job]));
      assert.ok(!text.includes("driver-1") && !text.includes("key"), format);
    }
    await service.evict(job);
    assert.deepEqual((await trail(job)).json, { ...whole, locations: named }, "after sleep");
  });

  test("who does not take part sees none, and touches no object", async () => {
    const job = newJob();
    for (const headers of [driverOf(), as("customer"), as("customer", [newJob()])]) {
      assertProblem(await trail(job, "", headers), 403, "not_a_participant");
      assertProblem(await trail(job, "?limit=0", headers), 403, "not_a_participant");
    }
    assertProblem(await trail(job, "", {}), 401, "session_missing");
    assert.ok(!(await service.objects()).includes(await service.reference(job)));
  });

  test("pages follow each other by `next` and by Link, in every format", async () => {
    const job = newJob();
    const epoch = await drive(job, 250);
    for (const format of ["", "&format=json", "&format=geojson", "&format=geojson-line", "&format=gpx"]) {
      let path: string | undefined = `/api/jobs/${job}/locations?limit=100${format}`;
      const found: number[] = [];
      for (const expected of [`${epoch}.100`, `${epoch}.200`, undefined]) {
        const answer = await service.send("GET", path ?? "", { headers: driverOf(job) });
        assert.equal(answer.status, 200, answer.text);
        path = link(answer);
        assert.equal(path, expected && `/api/jobs/${job}/locations?after=${expected}&limit=100${format}`);
        if (format === "" || format === "&format=json") {
          assert.equal(answer.json.next, expected ?? null);
          found.push(...seqs(answer.json));
        } else if (format === "&format=geojson") {
          found.push(...answer.json.features.map(({ properties }: { properties: { seq: number } }) => properties.seq));
        } else if (format === "&format=geojson-line") {
          const { geometry, properties } = answer.json;
          assert.equal(geometry.coordinates.length, properties.coordinateProperties.times.length);
          found.push(...geometry.coordinates.map(([lng]: number[]) => Math.round(lng! * 100) + 1));
        } else {
          found.push(...[...answer.text.matchAll(/<time>[^<]+Z<\/time><name>\d+\.(\d+)<\/name>/g)].map(([, seq]) => Number(seq)));
        }
      }
      assert.deepEqual(found, Array.from({ length: 250 }, (_, n) => n + 1), format);
    }
    assert.deepEqual(seqs((await trail(job, `?after=${epoch}.249`)).json), [250]);
    const beyond = await trail(job, `?after=${epoch}.250`);
    assert.deepEqual([seqs(beyond.json), beyond.json.next, link(beyond)], [[], null, undefined]);
    assert.deepEqual(seqs((await trail(job, `?after=${epoch + 1}.0`)).json), []);
    await drive(job, 1);
    assert.deepEqual(seqs((await trail(job, `?after=${epoch}.250`)).json), [251], "whoever comes again gets what has come since");
  });

  test("a page is at most 1,000 fixes, which is also what is not asked for", async () => {
    const job = newJob();
    const epoch = await drive(job, 1_050);
    for (const query of ["", "?limit=1000"]) {
      const { locations, next } = (await trail(job, query)).json;
      assert.deepEqual([locations.length, next], [1_000, `${epoch}.1000`]);
    }
  });

  test("a format is taken by name, or else by what is accepted", async () => {
    const job = newJob();
    await drive(job, 2);
    for (const [query, accept, type, kind] of [
      ["", undefined, "application/json", undefined],
      ["", "text/html, */*;q=0.8", "application/json", undefined],
      ["", "application/geo+json", "application/geo+json", "FeatureCollection"],
      ["", "application/gpx+xml;q=0.5, application/geo+json", "application/geo+json", "FeatureCollection"],
      ["?format=json", "application/geo+json", "application/json", undefined],
      ["?format=geojson-line", "application/json", "application/geo+json", "Feature"],
    ] as const) {
      const answer = await trail(job, query, { ...driverOf(job), accept });
      assert.equal(answer.header("content-type"), type);
      assert.equal(answer.header("vary"), "Accept, Origin");
      assert.equal(answer.json.type, kind);
    }
    const gpx = await trail(job, "", { ...driverOf(job), accept: "application/gpx+xml" });
    assert.equal(gpx.header("content-type"), "application/gpx+xml");
    assert.match(gpx.text, /^<\?xml version="1.0" encoding="UTF-8"\?><gpx version="1.1"/);
  });

  test("a parameter that breaks its rule is named", async () => {
    const job = newJob();
    for (const [query, field, reason] of [
      ["?after=", "after", "not_a_place"],
      ["?after=12", "after", "not_a_place"],
      ["?after=1.2.3", "after", "not_a_place"],
      ["?after=-1.2", "after", "not_a_place"],
      ["?limit=0", "limit", "out_of_range"],
      ["?limit=1001", "limit", "out_of_range"],
      ["?limit=ten", "limit", "out_of_range"],
      ["?format=csv", "format", "unknown_format"],
      ["?limit=1&limit=2", "limit", "repeated"],
    ]) {
      const problem = assertProblem(await trail(job, query), 400, "invalid_parameter");
      assert.deepEqual([problem.field, problem.reason], [field, reason]);
      assert.match(problem.detail, new RegExp(`^\`${field}\``));
    }
  });

  test("a page of another origin may read the link", async () => {
    const job = newJob();
    await drive(job, 2);
    const answer = await trail(job, "?limit=1", { ...driverOf(job), origin: "https://app.example" });
    assert.match(answer.header("access-control-expose-headers") ?? "", /\blink\b/);
    assert.ok(link(answer));
  });

  test("what Ably refuses for good stays in the trail, and is told", async () => {
    const job = newJob();
    service.ably.plan(job, refused(400, 40009));
    await service.post(job, { locations: [{ lat: 1, lng: 1 }, { lat: 2, lng: 1 }] });
    await service.ably.arrived(job, 1);
    await service.post(job, { lat: 3, lng: 1 });
    await service.ably.arrived(job, 2);
    const { epoch, setAside, locations } = (await trail(job)).json;
    assert.deepEqual(setAside, [{ epoch, fromSeq: 1, seq: 2 }]);
    assert.equal(locations.length, 3);
  });

  test("a route across 180° is a line in two pieces", async () => {
    const job = newJob();
    const now = Date.now();
    await service.post(job, { locations: [{ lat: 10, lng: 179, capturedAt: now - 2000 }, { lat: 20, lng: -179, capturedAt: now - 1000 }] });
    const { geometry, properties } = (await trail(job, "?format=geojson-line")).json;
    assert.deepEqual(geometry, { type: "MultiLineString", coordinates: [[[179, 10], [180, 15]], [[-180, 15], [-179, 20]]] });
    assert.deepEqual(properties.coordinateProperties.times, [[now - 2000, now - 1500], [now - 1500, now - 1000]]);
  });
});
