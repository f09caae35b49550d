// Every route with every method, what every answer carries, and paths that lead nowhere.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertAblyError, assertPrivate, assertProblem } from "./support/answers.ts";
import { Service, as, driverOf, newJob } from "./support/service.ts";

describe("routes", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  test("/healthz answers anyone with the version", async () => {
    const answer = await service.send("GET", "/healthz?anything");
    assert.equal(answer.status, 200);
    assert.equal(answer.header("content-type"), "application/json");
    assert.equal(answer.header("cache-control"), "no-store");
    assert.equal(answer.header("x-content-type-options"), "nosniff");
    assert.deepEqual(Object.keys(answer.json), ["status", "version"]);
    assert.equal(answer.json.status, "ok");
    assert.match(answer.json.version, /^\d+\.\d+\.\d+$/);
  });

  for (const [route, methods, refusal] of [
    ["/healthz", "GET, HEAD", "problem"],
    ["/api/ably-token", "GET, HEAD, POST, OPTIONS", "ably"],
    ["/api/jobs/a", "GET, HEAD, PUT, DELETE, OPTIONS", "problem"],
    ["/api/jobs/a/close", "POST, OPTIONS", "problem"],
    ["/api/jobs/a/customers/b", "PUT, DELETE, OPTIONS", "problem"],
    ["/api/jobs/a/location", "GET, HEAD, POST, OPTIONS", "problem"],
    ["/api/jobs/a/locations", "GET, HEAD, OPTIONS", "problem"],
    [`/api/refs/${"0".repeat(64)}`, "GET, HEAD, OPTIONS", "problem"],
  ] as const) {
    for (const method of ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "QUERY", "REPORT"]) {
      if (methods.split(", ").includes(method)) continue;
      test(`${method} ${route} is 405 with the methods that it answers`, async () => {
        const answer = await service.send(method, route, { headers: as("admin") });
        assert.equal(answer.status, 405);
        assert.equal(answer.header("allow"), methods);
        if (method === "HEAD") return;
        if (refusal === "ably") return void assertAblyError(answer, 405, 40500);
        if (route !== "/healthz") return void assertProblem(answer, 405, "method_not_allowed");
        assert.equal(answer.json.type, "urn:towline:problem:method_not_allowed");
      });
    }
  }

  test("HEAD answers as GET does, without the body", async () => {
    const job = newJob();
    for (const [path, headers] of [
      ["/healthz", {}],
      ["/api/ably-token", driverOf(job)],
      [`/api/jobs/${job}/location`, driverOf(job)],
      [`/api/jobs/${job}/location`, {}],
      [`/api/jobs/${job}/locations`, driverOf(job)],
      ["/api/ably-token", {}],
      ["/api/nowhere", {}],
    ] as const) {
      const [get, head] = [await service.send("GET", path, { headers }), await service.send("HEAD", path, { headers })];
      assert.equal(head.status, get.status, path);
      assert.equal(head.body.length, 0, path);
      assert.equal(head.header("content-type"), get.header("content-type"), path);
      assert.equal(head.header("x-ably-errorcode"), get.header("x-ably-errorcode"), path);
      assert.equal(head.header("cache-control"), get.header("cache-control"), path);
    }
  });

  test("OPTIONS needs no session and says which methods there are", async () => {
    for (const path of ["/api/ably-token", "/api/jobs/a/location"]) {
      const answer = await service.send("OPTIONS", path);
      assert.equal(answer.status, 204);
      assert.equal(answer.body.length, 0);
      assert.equal(answer.header("allow"), "GET, HEAD, POST, OPTIONS");
      assertPrivate(answer);
    }
  });

  test("every answer has a request id of its own, whatever the client sends", async () => {
    const seen = new Set<string>();
    const theirs = "0123456789abcdef0123456789abcdef";
    for (const path of ["/healthz", "/api/ably-token", "/api/jobs/a/location", "/nowhere", "/api/jobs/%/location"]) {
      for (const method of ["GET", "POST", "PUT", "OPTIONS"]) {
        const answer = await service.send(method, path, { headers: { "x-request-id": theirs, "cf-ray": theirs } });
        const id = answer.header("x-request-id") ?? "";
        assert.match(id, /^[0-9a-f]{32}$/);
        assert.notEqual(id, theirs);
        seen.add(id);
      }
    }
    assert.equal(seen.size, 20);
  });

  for (const path of [
    "/", "//", "/healthz/", "//healthz", "/HEALTHZ", "/healthz/x", "/healthz%2f", "/%68ealthz", "/api", "/api/", "/api/ably-token/",
    "/api//ably-token", "/api/ably%2Dtoken", "/api/Ably-Token", "/api/ably-token.json", "/api/jobs/a/",
    "/api/jobs/a/location/", "/api/jobs/a//location", "/api/jobs//a/location", "/api/jobs/a/b/location", "/api/jobs/a/locations/",
    "/api/jobs/a/location.json", "/api/jobs/../location", "/api/jobs/a/customers", "/api/jobs/a/customers/b/c", "/api/jobs/%2e%2e/location",
    "/api/refs", `/api/refs/${"0".repeat(64)}/`, "/favicon.ico", "/.dev.vars", "/.env", "/wrangler.toml", "/api/jobs/a;b/Location",
  ]) {
    test(`${path} is no route`, async () => {
      for (const method of ["GET", "POST", "OPTIONS", "DELETE"]) {
        const answer = await service.send(method, path, { headers: as("admin") });
        assertProblem(answer, 404, "not_found");
        assert.ok(!answer.text.includes(path) || path.length < 3, "it quotes no path");
      }
    });
  }

  for (const id of [
    "%61", "a%2Fb", "a%", "%", "%00", "%zz", "a%20b", "a%252fb", "%E9", "", "a:b", "a*b", "*", "a,b", "a;b", "a@b", "[a]", "a+b", "a~b", "a=b", "a&b",
    "x".repeat(65), "x".repeat(5000),
  ]) {
    test(`a job id like ${id.slice(0, 20) || "nothing"} is refused with its rule, and decoded never`, async () => {
      // The session is checked only for a path that leads somewhere: here even one without it is told what is wrong.
      for (const headers of [{}, driverOf("a", "b", "ab")]) {
        const problem = assertProblem(await service.send("GET", `/api/jobs/${id}/location`, { headers }), 400, "invalid_id");
        assert.match(problem.detail, id.includes("%") ? /never percent-encoded/ : /1 to 64 of the characters/);
      }
    });
  }

  for (const reference of ["", "a", "A".repeat(64), "0".repeat(63), "0".repeat(65), `%30${"0".repeat(63)}`]) {
    test(`a reference like ${reference.slice(0, 20) || "nothing"} is refused with its rule`, async () => {
      const problem = assertProblem(await service.send("GET", `/api/refs/${reference}`, { headers: as("admin") }), 400, "invalid_id");
      assert.equal(problem.reason, reference.includes("%") ? "percent_encoded" : "invalid_id");
    });
  }

  for (const id of ["a", "...", "A.b_c-9", "-", "x".repeat(64), "__proto__", "constructor", "0"]) {
    test(`a job id like ${id.slice(0, 20)} is taken as it stands`, async () => {
      const answer = await service.state(id);
      assert.equal(answer.status, 200);
      assert.equal(answer.json.jobId, id);
    });
  }

  test("nothing was fetched but Ably's publishes", () => assert.deepEqual(service.ably.strays, []));
});
