// Ten thousand requests that nobody means well with, against one instance.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertTaken } from "./support/answers.ts";
import { Generator, JOBS } from "./support/hostile.ts";
import type { Hostile } from "./support/hostile.ts";
import type { Answer } from "./support/http.ts";
import { ABLY_KEY, SESSION_SECRET, Service, driverOf, newJob } from "./support/service.ts";

const REQUESTS = 10_000;
const AT_ONCE = 32;
/** From another seed come other requests: `HOSTILE_SEED=…` repeats what a failure names, or tries something new. */
const SEED = Number(process.env.HOSTILE_SEED ?? 20_261_124);

describe("hostile requests", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ SESSION_COOKIE: "session", CORS_ORIGINS: "https://app.example" });
  });
  after(() => service.stop());

  /** What is wrong with an answer. */
  function fault(hostile: Hostile, answer: Answer): string | undefined {
    if (answer.status >= 500) return "a 5xx";
    if (answer.status < 200 || (answer.status >= 300 && answer.status < 400)) return "no such status is ever meant";
    if (!/^[0-9a-f]{32}$/.test(answer.header("x-request-id") ?? "")) return "no request id of ours";
    if (answer.header("x-content-type-options") !== "nosniff") return "no nosniff";
    if (hostile.method !== "HEAD" && answer.status >= 400 && !answer.header("content-type")?.startsWith("application/")) return "an error that is no JSON";
    if (answer.status >= 400 && answer.text !== "") JSON.parse(answer.text);
    if (answer.text.includes(SESSION_SECRET) || answer.text.includes(ABLY_KEY)) return "a secret";
    return undefined;
  }

  test(`${REQUESTS} of them get no 5xx, no hang and nothing out of shape (seed ${SEED})`, { timeout: 5 * 60_000 }, async () => {
    const generator = new Generator(SEED);
    const statuses = new Map<number, number>();
    const faults: string[] = [];
    let sent = 0;
    const sendAll = async () => {
      while (sent < REQUESTS && faults.length < 5) {
        const number = sent++;
        const hostile = generator.next();
        const what = `request ${number}: ${hostile.method} ${hostile.path.slice(0, 200)} ${JSON.stringify(hostile.headers).slice(0, 300)}`;
        try {
          const answer = await service.send(hostile.method, hostile.path, hostile);
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          const wrong = fault(hostile, answer);
          if (wrong !== undefined) faults.push(`${what}: ${answer.status}, ${wrong}: ${answer.text.slice(0, 200)}`);
        } catch (error) {
          faults.push(`${what}: ${error}`);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sendAll));
    assert.deepEqual(faults, []);
    // The generator is of use only while it reaches every room.
    for (const status of [200, 204, 400, 401, 403, 404, 405, 413, 415]) assert.ok((statuses.get(status) ?? 0) >= 20, `${status}: ${statuses.get(status)}`);
  });

  test("after that, a token and a fix still work as if nothing had been", async () => {
    const job = newJob();
    assert.equal((await service.send("GET", "/api/ably-token", { headers: driverOf(job) })).status, 200);
    assert.deepEqual(assertTaken(await service.post(job, { lat: 1, lng: 2 }), job), [{ status: "accepted", seq: 1 }]);
    await service.ably.arrived(job, 1);
    for (const hit of JOBS) {
      const before = (await service.state(hit)).json;
      const [result] = assertTaken(await service.post(hit, { lat: 1, lng: 2 }), hit);
      assert.equal(result.status, "accepted");
      assert.ok(result.seq > before.seq);
    }
  });

  test("no line of the log was an error, and each was one JSON object", async () => {
    for (const { text } of await service.logged(REQUESTS)) {
      assert.notEqual(JSON.parse(text).level, "error", text);
      assert.ok(text.length < 1000);
    }
  });

  test("what was stored and published all the same is in range and without gap", async () => {
    let stored = 0;
    for (const job of JOBS) {
      let seq = 0;
      for (const row of await service.sql(job, "SELECT seq, body FROM log ORDER BY seq")) {
        const { fixes, driver } = JSON.parse(row.body);
        seq += fixes.length;
        assert.equal(row.seq, seq);
        assert.match(driver, /^[!-~]{1,128}$/);
        for (const [, lat, lng] of fixes) assert.ok(Math.abs(lat) <= 90 && Math.abs(lng) <= 180);
      }
      stored += seq;
    }
    assert.ok(stored > 100, `the generator gets fixes through, too: ${stored}`);
    assert.deepEqual(service.ably.strays, []);
  });
});
