// Cross-origin requests. Without CORS on its errors, ably-js takes a final 403 for a network error and retries for ever.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Answer, Headers } from "./support/http.ts";
import { Service, as, bearer, driverOf, session } from "./support/service.ts";

const PAGE = "https://app.example";
/** What ably-js, a driver's app, and tracing in a page send. */
const REQUEST_HEADERS = [
  "authorization", "content-type", "content-encoding", "accept", "idempotency-key", "if-match", "if-none-match", "last-event-id", "towline-user", "x-ably-version", "x-ably-clientid",
  "ably-agent", "baggage", "sentry-trace", "traceparent", "tracestate",
];
const LOCAL = "http://localhost:3000";

/** Every kind of answer of an `/api` path. */
const REQUESTS: [what: string, method: string, path: string, headers: Headers, body?: string][] = [
  ["a token", "GET", "/api/ably-token", driverOf("a")],
  ["a token by POST", "POST", "/api/ably-token", driverOf("a")],
  ["no session", "GET", "/api/ably-token", {}],
  ["a session that has ended", "GET", "/api/ably-token", bearer(session({ exp: 1 }))],
  ["another user's token", "GET", "/api/ably-token", { ...driverOf("a"), "towline-user": "eve" }],
  ["a foreign job's token", "GET", "/api/ably-token?jobId=b", driverOf("a")],
  ["a JWT in the query", "GET", `/api/ably-token?t=${session()}`, {}],
  ["another method", "DELETE", "/api/ably-token", driverOf("a")],
  ["a post", "POST", "/api/jobs/a/location", driverOf("a"), '{"lat":1,"lng":2}'],
  ["a bad fix", "POST", "/api/jobs/a/location", driverOf("a"), "{}"],
  ["a long post", "POST", "/api/jobs/a/location", driverOf("a"), " ".repeat(65 * 1024)],
  ["a foreign job", "POST", "/api/jobs/b/location", driverOf("a"), "{}"],
  ["another user's post", "POST", "/api/jobs/a/location", { ...driverOf("a"), "towline-user": "eve" }, '{"lat":1,"lng":2}'],
  ["a first state", "GET", "/api/jobs/a/location", driverOf("a")],
  ["no session for a job", "GET", "/api/jobs/a/location", {}],
  ["a bad id", "GET", "/api/jobs/%61/location", driverOf("a")],
  ["another method of a job", "PUT", "/api/jobs/a/location", driverOf("a")],
  ["no such route", "GET", "/api/nowhere", driverOf("a")],
];

function permissions(answer: Answer): Record<string, string> {
  const entries = [...answer.headers].filter(([name]) => name.startsWith("access-control-"));
  return Object.fromEntries(entries.map(([name, values]) => [name.slice("access-control-".length), values.join(", ")]));
}

const words = (list = "") => list.toLowerCase().split(/\s*,\s*/).sort();

function assertShared(answer: Answer, origin: string): void {
  const { "expose-headers": exposed, ...others } = permissions(answer);
  assert.deepEqual(others, { "allow-origin": origin, "allow-credentials": "true" });
  assert.deepEqual(words(exposed), ["etag", "link", "retry-after", "x-ably-errorcode", "x-request-id"]);
  assert.equal(answer.header("vary"), "Origin");
}

describe("CORS with a list", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ CORS_ORIGINS: `${PAGE}, ${LOCAL}`, CORS_HEADERS: "X-Datadog-Trace-Id", SESSION_COOKIE: "session" });
  });
  after(() => service.stop());

  for (const [what, method, path, headers, body] of REQUESTS) {
    test(`${what}: a listed page may read the answer, others may not, and caches are told`, async () => {
      const from = (origin?: string) => service.send(method, path, { headers: { ...headers, origin }, body });
      assertShared(await from(PAGE), PAGE);
      assertShared(await from(LOCAL), LOCAL);
      for (const origin of [undefined, "https://evil.example", "null"]) {
        const answer = await from(origin);
        assert.deepEqual(permissions(answer), {});
        assert.equal(answer.header("vary"), "Origin");
      }
    });
  }

  for (const path of ["/api/ably-token", "/api/jobs/a/location"]) {
    test(`a preflight of ${path} lets a listed page send what ably-js and a driver's app send`, async () => {
      for (const method of ["GET", "POST"]) {
        const answer = await service.send("OPTIONS", path, {
          headers: {
            origin: PAGE,
            "access-control-request-method": method,
            "access-control-request-headers": "authorization,content-type,idempotency-key,x-ably-version",
          },
        });
        assert.equal(answer.status, 204);
        const given = permissions(answer);
        assert.equal(given["allow-origin"], PAGE);
        assert.equal(given["allow-credentials"], "true");
        assert.deepEqual(words(given["allow-methods"]), ["get", "head", "options", "post"]);
        const allowed = words(given["allow-headers"]);
        assert.deepEqual(allowed, words([...REQUEST_HEADERS, "x-datadog-trace-id"].join(",")));
        assert.ok(!allowed.includes("*") && !words(given["allow-methods"]).includes("*"));
        assert.ok(Number(given["max-age"]) > 0);
        assert.equal(answer.header("vary"), "Origin");
        assert.equal(answer.header("cache-control"), "private, no-store");
      }
    });

    test(`a preflight of ${path} by any other page permits nothing`, async () => {
      for (const origin of [
        "https://evil.example", "null", "*", "", "http://app.example", `${PAGE}:443`, `${PAGE}:8443`, `${PAGE}/`, `${PAGE}.evil.example`,
        "https://evil-app.example", "https://sub.app.example", PAGE.toUpperCase(), "https://app.exampl", `${PAGE}, ${LOCAL}`, `${PAGE} ${LOCAL}`, "http://localhost",
      ]) {
        const answer = await service.send("OPTIONS", path, { headers: { origin, "access-control-request-method": "POST" } });
        assert.equal(answer.status, 204);
        assert.deepEqual(permissions(answer), {}, origin);
        assert.equal(answer.header("vary"), "Origin");
      }
    });
  }

  for (const path of ["/api/nowhere", "/api/jobs/%61/location", "/api/jobs/a:b/location"]) {
    test(`a preflight of ${path} lets a listed page read what is wrong with the request itself`, async () => {
      for (const method of ["GET", "POST", "PUT", "DELETE"]) {
        const headers = { origin: PAGE, "access-control-request-method": method, "access-control-request-headers": "authorization" };
        const preflight = await service.send("OPTIONS", path, { headers });
        assert.equal(preflight.status, 204);
        assert.equal(permissions(preflight)["allow-origin"], PAGE);
        assert.ok(words(permissions(preflight)["allow-methods"]).includes(method.toLowerCase()));
        const answer = await service.send(method, path, { headers: { ...driverOf("a"), origin: PAGE } });
        assert.equal(answer.status, path === "/api/nowhere" ? 404 : 400);
        assertShared(answer, PAGE);
      }
    });
  }

  test("a listed page may read that a route does not answer its method", async () => {
    for (const path of ["/api/ably-token", "/api/jobs/a/location"]) {
      for (const method of ["PUT", "PATCH", "DELETE"]) {
        const headers = { origin: PAGE, "access-control-request-method": method };
        const preflight = await service.send("OPTIONS", path, { headers });
        assert.ok(words(permissions(preflight)["allow-methods"]).includes(method.toLowerCase()));
        const answer = await service.send(method, path, { headers: { ...driverOf("a"), origin: PAGE } });
        assert.equal(answer.status, 405);
        assertShared(answer, PAGE);
      }
    }
  });

  test("a listed page's cookie gets a token across origins", async () => {
    const headers = { origin: PAGE, cookie: `session=${session()}`, authorization: "cookie" };
    const answer = await service.send("POST", "/api/ably-token", { headers });
    assert.equal(answer.status, 200);
    assertShared(answer, PAGE);
  });

  test("/healthz is for no page", async () => {
    const answer = await service.send("GET", "/healthz", { headers: { origin: PAGE } });
    assert.deepEqual(permissions(answer), {});
  });
});

describe("CORS without a list", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  test("no answer permits any page anything", async () => {
    for (const [what, method, path, headers, body] of REQUESTS) {
      for (const origin of [PAGE, service.url.origin, "null", undefined]) {
        const answer = await service.send(method, path, { headers: { ...headers, origin }, body });
        assert.deepEqual(permissions(answer), {}, what);
        assert.equal(answer.header("vary"), undefined, what);
      }
    }
    const preflight = { headers: { ...as("admin"), origin: PAGE, "access-control-request-method": "GET" } };
    assert.deepEqual(permissions(await service.send("OPTIONS", "/api/ably-token", preflight)), {});
  });
});

test("a page may read that the service is misconfigured, where its origin is not what is wrong", async () => {
  const service = await Service.start({ CORS_ORIGINS: PAGE, ABLY_API_KEY: undefined });
  try {
    for (const [what, method, path, headers, body] of REQUESTS) {
      const answer = await service.send(method, path, { headers: { ...headers, origin: PAGE }, body });
      assert.equal(answer.status, 503, what);
      assertShared(answer, PAGE);
      const preflight = await service.send("OPTIONS", path, { headers: { origin: PAGE, "access-control-request-method": method } });
      assert.equal(preflight.status, 204, what);
      assert.deepEqual(words(permissions(preflight)["allow-headers"]), words(REQUEST_HEADERS.join(",")));
    }
  } finally {
    await service.stop();
  }
});
