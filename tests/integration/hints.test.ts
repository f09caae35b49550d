// In development the log says of each refusal why, and what to do; to whoever is refused, and in production, nothing is said otherwise.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { refused } from "./support/fake-ably.ts";
import type { Answer, Headers, Sent } from "./support/http.ts";
import { ABLY_KEY, SESSION_SECRET, Service, as, bearer, driverOf, newJob, seconds, session } from "./support/service.ts";
import { until } from "./support/until.ts";

const PAGE = "http://localhost:3000";
const ODD = "zq7Xodd";
const FIX = '{"lat":77.123456,"lng":-12.654321}';
const COOKIE = { cookie: `session=${session({ jobs: ["a"] })}` };

/** A request, and what its hint has to say. */
type Case = [what: string, method: string, path: string, sent: Sent, ...says: string[]];

const preflight = (origin: string): Headers => ({ origin, "access-control-request-method": "GET" });

const CASES: Case[] = [
  ["no session, from a server", "GET", "/api/ably-token", {}, "401 session_missing", "no page that asked", "Authorization: Bearer"],
  ["a proxy that drops the cookie", "GET", "/api/ably-token", { headers: { "sec-fetch-site": "same-origin" } }, "401 session_missing", "proxy between drops it"],
  ["another cookie", "GET", "/api/jobs/a/location", { headers: { cookie: `theme=${ODD}` } }, "401 session_missing", "not the one that SESSION_COOKIE names"],
  ["no token behind Bearer", "GET", "/api/ably-token", { headers: { authorization: "Bearer undefined" } }, "401 session_missing", "`undefined`", "getSession"],
  ["another secret", "GET", "/api/ably-token", { headers: bearer(session({ sub: ODD }, `${SESSION_SECRET}2`)) }, "403 session_signature", "another secret", ".towline/dev.json"],
  ["a session that has expired", "GET", "/api/ably-token", { headers: bearer(session({ sub: ODD, exp: seconds(-1) })) }, "401 session_expired", "sign a new one"],
  ["exp in milliseconds", "GET", "/api/ably-token", { headers: bearer(session({ exp: Date.now() + 3_600_000 })) }, "403 session_exp_milliseconds", "divide by 1000"],
  ["an unknown role", "GET", "/api/ably-token", { headers: bearer(session({ sub: ODD, role: ODD })) }, "403 session_role", "driver, dispatcher"],
  ["another user's page", "GET", "/api/jobs/a/location", { headers: { ...COOKIE, "towline-user": ODD } }, "403 session_of_another_user", "session's `sub`"],
  ["a job that the claim does not list", "GET", `/api/jobs/${ODD}/location`, { headers: driverOf("a") }, "403 not_a_participant", "claim `jobs` does not list"],
  ["a token for it", "GET", `/api/ably-token?jobId=${ODD}`, { headers: driverOf("a") }, "403 token_refused", "registered with this user"],
  ["a cookie from another origin", "POST", "/api/jobs/a/location", { headers: { ...COOKIE, origin: PAGE }, body: FIX }, "403 origin_not_allowed", `CORS_ORIGINS=${PAGE} `],
  ["a preflight from another origin", "OPTIONS", "/api/jobs/a/location", { headers: preflight("http://localhost:3001") }, "OPTIONS /api/jobs/{jobId}/location", "CORS_ORIGINS=http://localhost:3001 "],
  ["a bad fix", "POST", "/api/jobs/a/location", { headers: driverOf("a"), body: `{"lat":"${ODD}"}` }, "400 invalid_fix", "`lat`", "Posting locations"],
  ["a path of nobody's", "GET", `/${ODD}`, {}, "404 not_found", "rewrite"],
];

const hints = (service: Service) => service.logs().flatMap(({ text }) => (text.startsWith("Hint, ") ? [text] : []));

/** Waits for a hint that says all of these. */
async function hinted(service: Service, ...parts: string[]): Promise<string> {
  const says = () => hints(service).find((hint) => parts.every((part) => hint.includes(part)));
  await until(`a hint with ${parts.join(", ")} among ${hints(service).join("\n")}`, () => says() !== undefined);
  return says() ?? "";
}

/** All of an answer that a client sees, but what differs with each. */
const bytes = ({ status, headers, text }: Answer) => [status, [...headers].filter(([name]) => name !== "date" && name !== "x-request-id"), text];

describe("in development", () => {
  const settings = { SESSION_COOKIE: "session", CORS_ORIGINS: "https://app.example" };
  let service: Service;
  let production: Service;
  before(async () => {
    [service, production] = await Promise.all([Service.start({ ...settings, DEV_HINTS: "on" }), Service.start(settings)]);
  });
  after(() => Promise.all([service?.stop(), production?.stop()]));

  for (const [what, method, path, sent, ...says] of CASES) {
    test(`${what}: one line says why and what to do, and the answer is the same as in production`, async () => {
      service.clearLogs();
      const answer = await service.send(method, path, sent);
      const hint = await hinted(service, ...says);
      assert.match(hint, /^Hint, .+: .+\. What to do: .+\.$/);
      assert.ok(hint.length < 600, hint);
      // The line of the request itself comes last.
      await until("the request's line", () => service.logs().some(({ text }) => text.includes(`"${answer.header("x-request-id")}"`)));
      assert.deepEqual(hints(service), [hint]);
      assert.deepEqual(bytes(answer), bytes(await production.send(method, path, sent)));
      for (const theirs of [ODD, "eyJ", "77.1", "12.6", ABLY_KEY, SESSION_SECRET, "driver-1"]) assert.ok(!hint.includes(theirs), `${theirs}: ${hint}`);
    });
  }

  test("the same again is counted, and not said", async () => {
    service.clearLogs();
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.send("DELETE", "/api/ably-token", { headers: as("admin") })));
    const last = answers.at(-1)?.header("x-request-id");
    await until("all lines", () => service.logs().filter(({ text }) => text.includes("method_not_allowed")).length >= 21 && service.logs().some(({ text }) => text.includes(`"${last}"`)));
    assert.equal(hints(service).length, 1);
  });

  test("who is registered without the user is told so by the job, also where a token is given that lacks it", async () => {
    const id = newJob();
    const putAt = async (at: Service) => {
      const put = await at.send("PUT", `/api/jobs/${id}`, { headers: as("service"), body: '{"driver":"dan","customers":["cleo"]}' });
      assert.equal(put.status, 201, put.text);
    };
    await Promise.all([service, production].map(putAt));
    service.clearLogs();
    const token = await service.send("GET", "/api/ably-token", { headers: driverOf(id) });
    assert.equal(token.status, 200);
    const hint = await hinted(service, "registered, but without the user", "customers/{userId}");
    for (const theirs of [id, "dan", "cleo", "driver-1"]) assert.ok(!hint.includes(theirs), hint);
    for (const at of [service, production]) assert.equal((await at.state(id)).status, 403);
    await until("the request's line", () => service.logs().some(({ text }) => text.includes("not_a_participant")));
    assert.equal(hints(service).length, 1, "which says it once");
  });

  test("in production the log has JSON alone", async () => {
    await until("its last line", () => production.logs().some(({ text }) => text.includes("not_a_participant") && text.includes("location")));
    assert.deepEqual(hints(production), []);
    for (const { text } of production.logs()) JSON.parse(text);
  });
});

test("where the registry alone decides, a job that nobody has registered is told apart", async () => {
  const service = await Service.start({ JOB_REGISTRY: "required", DEV_HINTS: "on" });
  try {
    const id = newJob();
    for (const ask of [() => service.state(id), () => service.post(id, FIX), () => service.send("GET", `/api/jobs/${id}/stream`, { headers: driverOf(id) })]) {
      service.clearLogs();
      assert.equal((await ask()).status, 403);
      await until("the request's line", () => service.logs().some(({ text }) => text.includes("not_a_participant")));
    }
    const token = await service.send("GET", `/api/ably-token?jobId=${newJob()}`, { headers: driverOf(id) });
    assert.equal(token.status, 403);
    await hinted(service, "nobody has registered the job", "PUT /api/jobs/{jobId}");
  } finally {
    await service.stop();
  }
});

test("settings that are wrong are named, with where to mend them", async () => {
  const service = await Service.start({ SESSION_SECRET: ODD, DEV_HINTS: "on" });
  try {
    await service.send("GET", "/api/ably-token");
    const hint = await hinted(service, "503 misconfigured", "SESSION_SECRET (", ".dev.vars");
    assert.ok(!hint.includes(ODD));
  } finally {
    await service.stop();
  }
});

test("A key without revocable tokens, and one that may not publish, are told by the job", async () => {
  const service = await Service.start({ DEV_HINTS: "on" });
  try {
    const id = newJob();
    service.ably.plan(id, refused(401, 40160), refused(401, 40160));
    const notRevocable = { error: { code: 40163, statusCode: 401, message: "no" } };
    service.ably.planRevocations("clientId:cleo", () => Response.json(notRevocable, { status: 401 }));
    await service.send("PUT", `/api/jobs/${id}`, { headers: as("service"), body: '{"driver":"driver-1","customers":["cleo"]}' });
    const publishing = await hinted(service, "code is 40160", "policy:check");
    await service.send("DELETE", `/api/jobs/${id}/customers/cleo`, { headers: as("service") });
    const revoking = await hinted(service, "Ably revokes no tokens", "switch revocable tokens on");
    for (const theirs of [id, "cleo", "driver-1", ABLY_KEY]) assert.ok(![publishing, revoking].join().includes(theirs), theirs);
  } finally {
    await service.stop();
  }
});
