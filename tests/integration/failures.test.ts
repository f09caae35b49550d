// What goes wrong on the way to Ably, and what becomes of the messages. The tests run side by side: each waits for real timers.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { breaksOff, hangs, refused, resets, stalls } from "./support/fake-ably.ts";
import type { Behaviour } from "./support/fake-ably.ts";
import { assertProblem } from "./support/answers.ts";
import { ABLY_KEY, Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const ODD = "zq7Xodd";

describe("failures on the way to Ably", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  /** Posts fixes one after the other; the answers to all of them know nothing of Ably. */
  const post = async (job: string, ...lats: number[]) => {
    for (const lat of lats) {
      const answer = await service.post(job, { lat, lng: 1 });
      assert.equal(answer.status, 200);
      assert.ok(!answer.text.includes(ODD));
    }
  };
  const seqs = (job: string) => service.ably.publishes(job).map(({ event }) => event.seq);
  const elsewhere = { location: "https://elsewhere.example/channels/dispatch%3Ajob%3Aelsewhere/messages" };
  const redirects = (status: number): Behaviour => () => new Response(null, { status, headers: elsewhere });

  for (const [what, behaviour] of [
    ["500", refused(500, 50000, {}, ODD)],
    ["503", refused(503, 50003)],
    ["504 without a body", () => new Response(null, { status: 504 })],
    ["429", refused(429, 42910)],
    ["a 502 page of a proxy", () => new Response("<html>", { status: 502, headers: { "content-type": "text/html" } })],
    ["a reset", resets],
    ["a body that breaks off", breaksOff],
    ["a 301", redirects(301)],
    ["a 302", redirects(302)],
    ["a 307", redirects(307)],
    ["a 308", redirects(308)],
  ] as [string, Behaviour][]) {
    test(`after ${what} the same bytes go out again, and what is behind waits its turn`, async () => {
      const job = newJob();
      service.ably.plan(job, behaviour, behaviour);
      await post(job, 1, 2);
      const all = await service.ably.arrived(job, 4);
      assert.deepEqual(seqs(job), [1, 1, 1, 2]);
      assert.equal(all[1]!.body, all[0]!.body);
      assert.equal(all[2]!.body, all[0]!.body);
      // Half a second, of which chance takes half at most; then twice that.
      const waits = [all[1]!.at - all[0]!.at, all[2]!.at - all[1]!.at];
      assert.ok(waits[0]! >= 240 && waits[1]! >= 490, `${waits}`);
      assert.deepEqual([service.ably.strays, service.ably.publishes("elsewhere")], [[], []], "no redirect is followed");
    });
  }

  for (const [what, behaviour] of [["an Ably that hangs", hangs], ["a body that stalls", stalls]] as [string, Behaviour][]) {
    test(`${what} is given up, and the same bytes go out again`, async () => {
      const job = newJob();
      service.ably.plan(job, behaviour);
      await post(job, 1, 2);
      const all = await service.ably.arrived(job, 3);
      assert.deepEqual(seqs(job), [1, 1, 2]);
      assert.equal(all[1]!.body, all[0]!.body);
    });
  }

  for (const status of [429, 503]) {
    test(`the Retry-After of a ${status} is honoured`, async () => {
      const job = newJob();
      service.ably.plan(job, refused(status, status === 429 ? 42910 : 50003, { "retry-after": "3" }));
      await post(job, 1, 2);
      const all = await service.ably.arrived(job, 3);
      assert.deepEqual(seqs(job), [1, 1, 2]);
      assert.ok(all[1]!.at - all[0]!.at >= 2990);
    });
  }

  for (const [status, code] of [[400, 40000], [400, 40003], [400, 40009], [400, 40031], [400, 40099], [413, 40009], [413, 0]] as const) {
    test(`a message that ${status}/${code} blames is set aside, and the next go on`, async () => {
      const job = newJob();
      service.ably.plan(job, refused(status, code, {}, ODD));
      await post(job, 1, 2, 3);
      await service.ably.reached(job, 3);
      assert.deepEqual(service.ably.seqs(job), [1, 2, 3]);
      // It stays in the trail, and it is written down why nobody has seen it.
      assert.deepEqual((await service.sql(job, "SELECT seq FROM log ORDER BY seq")).map(({ seq }) => seq), [1, 2, 3]);
      const [{ cause, ...range }, ...more] = await service.sql(job, "SELECT first_n, last_n, cause FROM set_aside");
      assert.deepEqual([range, JSON.parse(cause), more], [{ first_n: 1, last_n: 1 }, { class: "message", status, code }, []]);
    });
  }

  for (const [status, code] of [[401, 40101], [403, 40160], [404, 40400], [401, 40111], [403, 40114]] as const) {
    test(`${status}/${code} blames the key: the queue is held in order, and resumes by itself`, async () => {
      const job = newJob();
      service.ably.plan(job, refused(status, code, {}, ODD));
      await post(job, 1, 2);
      const all = await service.ably.arrived(job, 3);
      assert.deepEqual(seqs(job), [1, 1, 2]);
      assert.equal(all[1]!.body, all[0]!.body);
      assert.ok(all[1]!.at - all[0]!.at >= 990);
    });
  }

  test("a refusal that nobody knows holds the queue, for longer than one that passes", async () => {
    const [unknown, passing] = [newJob(), newJob()];
    service.ably.plan(unknown, refused(400, 40160));
    await post(unknown, 1, 2);
    await service.ably.arrived(unknown, 1);
    service.ably.plan(passing, ...Array(3).fill(refused(503, 50003)));
    await post(passing, 1);
    await service.ably.arrived(passing, 4);
    assert.deepEqual(seqs(unknown), [1]);
  });

  test("failures are logged by class, status and code, with a reference that operators alone can read: without Ably's words, key, URL, job or position", async () => {
    const job = newJob();
    const words = `${ODD} dispatch:job:${job} ${ABLY_KEY}\n${"x".repeat(500)}`;
    service.ably.plan(job, refused(401, 40101, {}, words), refused(503, 50003, {}, words), refused(400, 40000, {}, words));
    await post(job, 77.123456);
    await service.ably.arrived(job, 3);
    const ref = await service.reference(job);
    const lines = () => service.logs().filter(({ text }) => text.includes(ref));
    await until("all of it to be logged", () => lines().length >= 4);
    const said = lines().map(({ level, text }) => {
      const { next, retryAt, since, ...line } = JSON.parse(text);
      assert.deepEqual([retryAt !== undefined, since !== undefined], [next === "Retry", next === "Publish"]);
      return [level, next, line];
    });
    const line = (level: string, cause: object) => ({ level, code: "publish_failed", ref, n: 1, cause });
    assert.deepEqual(said, [
      ["error", "Retry", line("error", { class: "access", status: 401, code: 40101 })],
      ["warn", "Retry", line("warn", { class: "transient", status: 503, code: 50003 })],
      ["error", "SetAside", line("error", { class: "message", status: 400, code: 40000 })],
      // Its key is right again, which the refusal of the message shows.
      ["log", "Publish", { level: "info", code: "publish_resumed", ref }],
    ]);
    const secret = ABLY_KEY.split(":")[1]!;
    for (const { text } of service.logs()) {
      assert.ok(!text.includes(secret) && !text.includes(Buffer.from(ABLY_KEY).toString("base64")));
      assert.ok(!text.includes(job) && !text.includes(ODD) && !text.includes("ably.test") && !text.includes("77.123456"));
      assert.ok(text.length < 400 && !text.includes("\n"));
      JSON.parse(text);
    }

    const lookUp = (role: "admin" | "service" | "driver", reference = ref) =>
      service.send("GET", `/api/refs/${reference}`, { headers: as(role, [job]) });
    for (const role of ["admin", "service"] as const) assert.deepEqual((await lookUp(role)).json, { ref, jobId: job });
    assertProblem(await lookUp("driver"), 403, "not_an_operator");
  });

  test("a reference of no job is 404: of none that there is, and of one that has kept nothing", async () => {
    const nothing = newJob();
    for (const reference of ["0".repeat(64), await service.reference(nothing)]) {
      assertProblem(await service.send("GET", `/api/refs/${reference}`, { headers: as("admin") }), 404, "unknown_ref");
    }
  });
});
