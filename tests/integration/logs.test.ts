// One structured line a request, which says what happened and to nobody whom.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import type { Sent } from "./support/http.ts";
import { Service, as, bearer, newJob, seconds, session } from "./support/service.ts";
import { until } from "./support/until.ts";

const ODD = "zq7Xodd";
const LAT = 77.123456;
const LNG = -12.654321;

describe("logs", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ SESSION_COOKIE: "session" });
  });
  after(() => service.stop());

  const job = `${ODD}-${newJob()}`;
  const user = { sub: `${ODD}@example.com` };
  const driver = as("driver", [job], user);
  const cookie = `session=${session(user)}`;
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const fix = JSON.stringify({ lat: LAT, lng: LNG, id: `${ODD}-id`, capturedAt: Date.now() - 4321, wifi: ODD });
  const path = `/api/jobs/${job}/location`;
  const everything: [method: string, path: string, route: string, status: number, code: string | null, sent: Sent][] = [
    ["GET", `/healthz?${ODD}`, "/healthz", 200, null, {}],
    ["DELETE", "/healthz", "/healthz", 405, "method_not_allowed", {}],
    ["GET", `/api/ably-token?rnd=${ODD}`, "/api/ably-token", 200, null, { headers: driver }],
    ["HEAD", "/api/ably-token", "/api/ably-token", 200, null, { headers: driver }],
    ["OPTIONS", "/api/ably-token", "/api/ably-token", 204, null, { headers: { origin: `https://${ODD}.example` } }],
    ["GET", `/api/ably-token?clientId=${ODD}`, "/api/ably-token", 403, "token_refused", { headers: driver }],
    ["GET", `/api/ably-token?jobId=${ODD}`, "/api/ably-token", 403, "token_refused", { headers: driver }],
    ["POST", "/api/ably-token", "/api/ably-token", 400, "token_refused", { headers: { ...driver, ...form }, body: `ttl=${ODD}` }],
    ["GET", "/api/ably-token", "/api/ably-token", 401, "session_missing", { headers: { authorization: `Basic ${ODD}` } }],
    ["GET", "/api/ably-token", "/api/ably-token", 401, "session_expired", { headers: bearer(session({ ...user, exp: seconds(-1) })) }],
    ["GET", "/api/ably-token", "/api/ably-token", 403, "session_malformed", { headers: bearer(`${ODD}.${ODD}.${ODD}`) }],
    ["GET", `/api/ably-token?t=${session(user)}`, "/api/ably-token", 400, "session_in_query", {}],
    ["GET", path, "/api/jobs/{jobId}/location", 200, null, { headers: driver }],
    ["POST", path, "/api/jobs/{jobId}/location", 200, null, { headers: driver, body: fix }],
    ["POST", path, "/api/jobs/{jobId}/location", 200, null, { headers: driver, body: `{"locations":[${fix},{"lat":"${ODD}"}]}` }],
    ["POST", path, "/api/jobs/{jobId}/location", 400, "invalid_fix", { headers: driver, body: `{"lat":"${ODD}"}` }],
    ["POST", path, "/api/jobs/{jobId}/location", 400, "invalid_post", { headers: driver, body: `{"${ODD}` }],
    ["POST", path, "/api/jobs/{jobId}/location", 400, "invalid_idempotency_key", { headers: { ...driver, "idempotency-key": ODD.repeat(20) }, body: fix }],
    ["POST", path, "/api/jobs/{jobId}/location", 413, "too_large", { headers: driver, body: ODD.repeat(10_000) }],
    ["POST", path, "/api/jobs/{jobId}/location", 415, "content_encoding", { headers: { ...driver, "content-encoding": ODD }, body: fix }],
    ["POST", path, "/api/jobs/{jobId}/location", 403, "not_a_participant", { headers: as("driver", [], user), body: fix }],
    ["POST", path, "/api/jobs/{jobId}/location", 403, "not_a_driver", { headers: as("admin", [], user), body: fix }],
    ["POST", path, "/api/jobs/{jobId}/location", 403, "origin_not_allowed", { headers: { cookie, origin: `https://${ODD}` }, body: fix }],
    ["PATCH", path, "/api/jobs/{jobId}/location", 405, "method_not_allowed", { headers: driver }],
    ["GET", `/api/refs/${"0".repeat(64)}`, "/api/refs/{ref}", 403, "not_an_operator", { headers: driver }],
    ["GET", `/api/refs/${"0".repeat(64)}`, "/api/refs/{ref}", 404, "unknown_ref", { headers: as("admin", [], user) }],
    ["GET", `/api/refs/${ODD}`, "none", 400, "invalid_id", { headers: as("admin", [], user) }],
    ["GET", `/api/jobs/${ODD}%41/location`, "none", 400, "invalid_id", { headers: driver }],
    ["GET", `/${ODD}/${LAT}`, "none", 404, "not_found", { headers: driver }],
  ];

  let requests = 0;
  for (const [method, target, route, status, code, sent] of everything) {
    test(`${method} ${route}, ${status} ${code ?? "fine"}: one line with the route's template, and nothing of the caller's`, async () => {
      const answer = await service.send(method, target, sent);
      assert.equal(answer.status, status, answer.text);
      const id = answer.header("x-request-id");
      const logs = (await service.logged(++requests)).filter(({ text }) => text.includes(`"${id}"`));
      assert.equal(logs.length, 1, JSON.stringify(logs));
      const { ms, code: said = null, ...line } = JSON.parse(logs[0]!.text);
      assert.deepEqual({ ...line, said }, { level: "info", requestId: id, method, route, status, said: code });
      assert.ok(Number.isInteger(ms) && ms >= 0);
      assert.ok(["log", "info"].includes(logs[0]!.level), logs[0]!.level);
      for (const theirs of [ODD, String(LAT), String(LNG), "eyJ", "\n"]) assert.ok(!logs[0]!.text.includes(theirs), theirs);
    });
  }

  test("that was one line a request: no more of them, and none of the objects'", async () => {
    await service.ably.arrived(job, 1);
    assert.equal((await service.logged(requests)).length, everything.length);
    for (const { text } of service.logs()) assert.ok(text.length < 300);
  });

  test("a long method is cut", async () => {
    service.clearLogs();
    await service.send("UNSUBSCRIBE", "/api/nowhere");
    assert.equal(JSON.parse((await service.logged(1))[0]!.text).method, "UNSUBSCRIB");
  });

  for (const [path, how] of [[`/api/jobs/${job}/location`, { "content-length": "100" }], [`/api/jobs/${job}/location`, { "transfer-encoding": "chunked" }], ["/api/ably-token", { "content-length": "100" }]] as const) {
    test(`a body of ${path.replace(job, "{jobId}")} that breaks off (${Object.keys(how)}) is logged as that, and not as one that is too long`, async () => {
      service.clearLogs();
      const breakOff = () =>
        new Promise<void>((resolve) => {
          const headers = { authorization: driver.authorization as string, expect: "100-continue", ...how };
          const outgoing = request(new URL(path, service.url), { method: "POST", headers });
          outgoing.on("error", () => {}).on("close", resolve);
          // Which is said when the body is being read.
          outgoing.on("continue", () => outgoing.write("{", () => outgoing.destroy()));
          outgoing.flushHeaders();
        });
      // The runtime drops some of these requests whole, at the moment that the client is gone.
      await until("one to be logged", async () => {
        await breakOff();
        return service.logs().length > 0;
      });
      const { code, status } = JSON.parse(service.logs()[0]!.text);
      assert.deepEqual({ code, status }, { code: "incomplete_body", status: 408 });
    });
  }
});
