// What the objects of a session's jobs have to say before there is a token. The entry of this bundle has some of them say what takes long to
// come about, or never should, by their ids; `registry.test.ts` has what they say by themselves.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertAblyError, assertPrivate } from "./support/answers.ts";
import type { Answer } from "./support/http.ts";
import { as, newJob, Service } from "./support/service.ts";
import { until } from "./support/until.ts";

/** Jobs that say what their id begins with. `later` says once that tokens are to be issued in the next second; `never` says so always. */
const saying = (entry: string) => {
  const [, renamed] = /export \{[^}]*?(\w+) as Job\b/.exec(entry) ?? [];
  return `${entry}
var plain = ${renamed ?? "Job"}.prototype.call;
var asked = new Set();
${renamed ?? "Job"}.prototype.call = function (request) {
  const job = JSON.parse(request).admit?.job ?? "";
  const how = job.split("-")[0];
  const isFirst = !asked.has(job);
  asked.add(job);
  const nextSecond = Math.floor(Date.now() / 1000 + 1) * 1000;
  if (how === "refused" || how === "waiting") return JSON.stringify({ standing: how });
  if (how === "ending") return JSON.stringify({ standing: "admitted", until: Date.now() + 90_000 });
  if (how === "never" || (how === "later" && isFirst)) return JSON.stringify({ standing: "admitted", notBefore: nextSecond });
  if (how === "throws") throw new Error("zq7Xodd");
  if (how === "unreadable") return JSON.stringify({ standing: "open" });
  if (how === "other") return 7;
  return plain.call(this, request);
};
`;
};

const named = (how: string) => `${how}-${newJob()}`;

/** The jobs whose channels are in a token, and its claims. */
function claimed(answer: Answer): { jobs: string[]; claims: any } {
  assert.equal(answer.status, 200, answer.text);
  assertPrivate(answer);
  const claims = JSON.parse(Buffer.from(answer.text.split(".")[1] ?? "", "base64url").toString());
  const channels = Object.keys(JSON.parse(claims["x-ably-capability"]));
  return { jobs: channels.flatMap((name) => (name.startsWith("dispatch:job:") ? [name.slice(13)] : [])), claims };
}

describe("a token by the word of its jobs", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start({}, undefined, saying);
  });
  after(() => service.stop());
  const token = (jobs: string[], query = "") => service.send("GET", `/api/ably-token${query}`, { headers: as("customer", jobs) });

  for (const count of [1, 5, 50]) {
    test(`${count} jobs that nobody has registered admit, and nothing is written in their storage`, async () => {
      const jobs = Array.from({ length: count }, newJob).sort();
      for (let round = 0; round < 2; round += 1) assert.deepEqual(claimed(await token(jobs)).jobs, jobs);
      for (const job of jobs.slice(0, 5)) {
        const tables = await service.sql(job, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_*'");
        assert.deepEqual(tables, []);
      }
    });
  }

  test("a job with fixes admits, in a form that is posted too", async () => {
    const [job, other] = [newJob(), newJob()];
    await service.post(job, { lat: 1, lng: 2 });
    const { claims } = claimed(await service.send("POST", "/api/ably-token", { headers: as("customer", [job, other]), body: `jobId=${job}` }));
    assert.equal(claims["x-ably-revocation-key"], `job:${job}`);
  });

  test("those that do not admit are left out, and one that ends soon ends the token", async () => {
    const [job, ending] = [newJob(), named("ending")];
    const { jobs, claims } = claimed(await token([named("refused"), job, named("waiting")]));
    assert.deepEqual([jobs, claims["x-ably-revocation-key"], claims.exp - claims.iat], [[job], `job:${job}`, 900]);
    const soon = claimed(await token([job, ending]));
    assert.deepEqual(soon.jobs, [ending, job].sort());
    assert.ok(soon.claims.exp - soon.claims.iat <= 90);
    assert.deepEqual(claimed(await token([named("refused"), named("waiting")])).jobs, []);
    const waiting = named("waiting");
    assert.deepEqual(claimed(await token([waiting, job], `?jobId=${waiting}`)).jobs, []);
  });

  test("one that refuses and is asked for by name answers as a foreign one", async () => {
    const refused = named("refused");
    const bytes = ({ status, headers, text }: Answer) => [status, [...headers].filter(([name]) => name !== "date" && name !== "x-request-id"), text];
    const [theirs, foreign] = [await token([refused], `?jobId=${refused}`), await token([refused], `?jobId=${newJob()}`)];
    assertAblyError(theirs, 403, 40160);
    assert.deepEqual(bytes(theirs), bytes(foreign));
  });

  test("a token is issued in the second that a job names, and its life begins there", async () => {
    const jobs = [newJob(), named("later")];
    const before = Date.now();
    const { claims, jobs: admitted } = claimed(await token(jobs));
    assert.ok(claims.iat > Math.floor(before / 1000), "not in the second in which it was asked for");
    assert.ok(claims.iat <= Date.now() / 1000, "nor before it begins");
    assert.deepEqual(admitted, jobs.sort());
  });

  test("a job that names ever later times makes nobody wait for ever", async () => {
    const answer = await token([newJob(), named("never")]);
    assertAblyError(answer, 503, 50000);
    assert.equal(answer.header("retry-after"), "2");
  });

  test("where one of them fails, or cannot be read, there is no token, and no other request notices", async () => {
    for (const how of ["throws", "unreadable", "other"]) {
      const failing = [named(how), ...Array.from({ length: 4 }, newJob), named(how)];
      const [good, ...bad] = await Promise.all([token([newJob()]), token(failing), token(failing, `?jobId=${failing[0]}`), token(failing, "?format=token-request")]);
      for (const answer of bad) {
        assertAblyError(answer, 503, 50000);
        assert.equal(answer.header("retry-after"), "2");
        assert.ok(!answer.text.includes("zq7Xodd"));
      }
      claimed(good);
    }
    await until("the reasons to be logged", () => service.logs().some(({ text }) => text.includes("object_failed") && text.includes("zq7Xodd")));
    const lines = service.logs().filter(({ text }) => text.includes("object_failed"));
    for (const { text } of lines) assert.deepEqual(Object.keys(JSON.parse(text)).sort(), ["code", "level", "reason", "requestId"]);
    assert.ok(!service.logs().some(({ text }) => /unhandled|uncaught/i.test(text)), "no rejection is left alone");
  });

  test("a storage that is not in order is no token either", async () => {
    const [job, other] = [newJob(), newJob()];
    await service.post(job, { lat: 1, lng: 1 });
    await service.evict(job);
    await service.sql(job, "UPDATE meta SET job = 'another'");
    await service.forget(job);
    assertAblyError(await token([job, other]), 503, 50000);
    assert.deepEqual(claimed(await token([job, other], `?jobId=${other}`)).jobs, [other]);
  });
});
