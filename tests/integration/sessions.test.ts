// Sessions as they arrive over HTTP. The table of hostile tokens is tested on the host; here is what depends on the request.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { assertAblyError, assertProblem } from "./support/answers.ts";
import type { Answer, Headers } from "./support/http.ts";
import { SESSION_SECRET, Service, bearer, newJob, seconds, session } from "./support/service.ts";

const PREVIOUS = "the-previous-secret-of-the-tests-0123456789";
const PAGE = "https://app.example";

describe("sessions", () => {
  let service: Service;
  const job = newJob();
  const mine = session({ jobs: [job] });
  const token = (headers: Headers, query = "") => service.send("GET", `/api/ably-token${query}`, { headers });
  const fix = JSON.stringify({ lat: 1, lng: 2 });
  const location = (method: "GET" | "POST", headers: Headers): Promise<Answer> =>
    service.send(method, `/api/jobs/${job}/location`, { headers, body: method === "POST" ? fix : undefined });

  before(async () => {
    service = await Service.start({
      SESSION_COOKIE: "__Host-session",
      SESSION_SECRET_PREVIOUS: PREVIOUS,
      SESSION_RENEWAL_SECONDS: "60",
      CORS_ORIGINS: PAGE,
    });
  });
  after(() => service.stop());

  test("a session in Authorization opens both routes, whatever the case of the scheme", async () => {
    for (const scheme of ["Bearer", "bearer", "BEARER"]) {
      assert.equal((await token({ authorization: `${scheme} ${mine}` })).status, 200);
      assert.equal((await location("GET", { authorization: `${scheme} ${mine}` })).status, 200);
    }
  });

  test("no session is 401 with a challenge, on every route but /healthz", async () => {
    // What a page sends that has no session, or not yet.
    const nothing = ["Bearer", "Bearer ", "Bearer undefined", "bearer null", "Basic dTpw"].map((authorization) => ({ authorization }));
    const cookies = [`session=${mine}`, "__Host-session=", "__Host-session=undefined"].map((cookie) => ({ cookie }));
    for (const headers of [{}, ...nothing, ...cookies]) {
      const answers = [await token(headers), await location("GET", headers), await location("POST", { origin: PAGE, ...headers })];
      assertAblyError(answers[0]!, 401, 40100);
      assertProblem(answers[1]!, 401, "session_missing");
      assertProblem(answers[2]!, 401, "session_missing");
      for (const answer of answers) assert.equal(answer.header("www-authenticate"), "Bearer");
    }
  });

  test("whoever has nothing else to ask is told whose session it is", async () => {
    const whoami = (headers: Headers) => service.send("GET", "/api/whoami", { headers });
    const exp = seconds() + 600;
    for (const role of ["driver", "customer", "dispatcher", "admin", "service"]) {
      const answer = await whoami({ authorization: `Bearer ${session({ role, sub: "auth0|ann", exp })}`, "towline-user": "auth0|ann" });
      assert.deepEqual([answer.status, answer.json], [200, { userId: "auth0|ann", role, endsAt: exp * 1_000 }]);
    }
    assert.equal((await whoami({ cookie: `__Host-session=${mine}` })).status, 200);
    assertProblem(await whoami({}), 401, "session_missing");
    assertProblem(await whoami({ cookie: `__Host-session=${mine}`, "towline-user": "eve" }), 403, "session_of_another_user");
    assertProblem(await service.send("POST", "/api/whoami", { headers: { authorization: `Bearer ${mine}` } }), 405, "method_not_allowed");
  });

  test("a session in the configured cookie opens what reads", async () => {
    const cookie = `theme=dark; __Host-session=${mine}; lang=de`;
    assert.equal((await token({ cookie })).status, 200);
    assert.equal((await location("GET", { cookie })).status, 200);
    assert.equal((await token({ cookie, authorization: "Basic dTpw" })).status, 200, "a scheme that is not ours does not hide it");
  });

  test("Authorization goes before the cookie, even when it is worse, unless there is nothing in it", async () => {
    const cookie = `__Host-session=${mine}`;
    assertAblyError(await token({ cookie, authorization: `Bearer ${mine}x` }), 403, 40300);
    for (const authorization of ["Bearer", "Bearer undefined", "Bearer null"]) {
      assert.equal((await token({ cookie, authorization })).status, 200);
      assert.equal((await location("GET", { cookie, authorization })).status, 200);
      assertProblem(await location("POST", { cookie, authorization, origin: "https://evil.example" }), 403, "origin_not_allowed");
    }
  });

  test("two session cookies that differ are refused, since one may be planted", async () => {
    const answer = await token({ cookie: `__Host-session=${mine}; __Host-session=${session({ sub: "eve" })}` });
    assertAblyError(answer, 403, 40300);
  });

  test("a cookie changes something only for an Origin that is the own one or listed", async () => {
    const cookie = `__Host-session=${mine}`;
    for (const origin of [service.url.origin, PAGE]) {
      assert.equal((await location("POST", { cookie, origin })).status, 200, origin);
      assert.equal((await service.send("POST", "/api/ably-token", { headers: { cookie, origin } })).status, 200, origin);
    }
    for (const origin of [undefined, "null", "https://evil.example", `${PAGE}.evil.example`, `${PAGE}:444`, "http://app.example", PAGE.toUpperCase(), `${PAGE}/`]) {
      const headers = { cookie, origin };
      assertProblem(await location("POST", headers), 403, "origin_not_allowed");
      assertAblyError(await service.send("POST", "/api/ably-token", { headers }), 403, 40300);
    }
  });

  test("Host and forwarding headers do not make an Origin the own one", async () => {
    const headers = { cookie: `__Host-session=${mine}`, origin: "https://evil.example", "x-forwarded-host": "evil.example", forwarded: "host=evil.example" };
    assertProblem(await location("POST", headers), 403, "origin_not_allowed");
  });

  test("a session in Authorization needs no Origin, and any will do", async () => {
    for (const origin of [undefined, "https://evil.example"]) {
      assert.equal((await location("POST", { ...bearer(mine), origin })).status, 200);
    }
  });

  test("a request that names a user in Towline-User is answered with that user's session only", async () => {
    const sessions: Headers[] = [bearer(mine), { cookie: `__Host-session=${mine}`, origin: PAGE }];
    for (const headers of sessions) {
      const both = async (user: string) => {
        const named = { ...headers, "towline-user": user };
        const tokens = [await token(named), await service.send("POST", "/api/ably-token", { headers: named })];
        return { tokens, locations: [await location("GET", named), await location("POST", named)] };
      };
      const own = await both("ann");
      for (const answer of [...own.tokens, ...own.locations]) assert.equal(answer.status, 200);
      const kept = () => service.sql(job, "SELECT count(*) AS fixes FROM log");
      const before = await kept();
      for (const other of ["", "bob", "Ann", "%61nn", "ann, ann", "änn"]) {
        const { tokens, locations } = await both(other);
        for (const answer of tokens) assertAblyError(answer, 403, 40300);
        for (const answer of locations) {
          assertProblem(answer, 403, "session_of_another_user");
          if (other !== "") assert.ok(!answer.text.includes(other));
        }
      }
      assert.deepEqual(await kept(), before);
    }
  });

  test("a JWT in a query or a form is 400 with the reason, and in no log", async () => {
    service.clearLogs();
    for (const query of [`?token=${mine}`, `?access_token=Bearer%20${mine}`, `?${mine}`, `?rnd=${mine.replaceAll(".", "%2E")}`]) {
      const error = assertAblyError(await token(bearer(mine), query), 400, 40000);
      assert.match(error.message, /query/);
      const problem = assertProblem(await service.send("GET", `/api/jobs/${job}/location${query}`, { headers: bearer(mine) }), 400, "session_in_query");
      assert.match(problem.detail, /query/);
    }
    const headers = { ...bearer(mine), "content-type": "application/x-www-form-urlencoded" };
    assertAblyError(await service.send("POST", "/api/ably-token", { headers, body: `token=${mine}` }), 400, 40003);
    const logs = (await service.logged(9)).map(({ text }) => text);
    assert.equal(logs.filter((text) => text.includes("session_in_query")).length, 8);
    for (const part of mine.split(".")) {
      for (const text of logs) assert.ok(!text.includes(part));
    }
  });

  test("an expired session is 401 while it can be renewed, and 403 after that", async () => {
    for (const [ago, status] of [[1, 401], [40, 401], [61, 403], [86_400, 403]] as const) {
      const headers = bearer(session({ jobs: [job], exp: seconds(-ago) }));
      assertAblyError(await token(headers), status, status * 100);
      const problem = assertProblem(await location("GET", headers), status, status === 401 ? "session_expired" : "session_ended");
      assert.match(problem.detail, status === 401 ? /renew/ : /sign in/);
    }
  });

  test("the previous secret is accepted, and no third one", async () => {
    assert.equal((await token(bearer(session({}, PREVIOUS)))).status, 200);
    assertAblyError(await token(bearer(session({}, "some-other-secret-of-the-tests-0123456789"))), 403, 40300);
  });

  const claims = { sub: "ann", role: "driver", exp: seconds(3600) };
  const forged = (header: object, secret = SESSION_SECRET, algorithm = "sha256") => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part(header)}.${part(claims)}`;
    return `${signed}.${createHmac(algorithm, secret).update(signed).digest("base64url")}`;
  };
  for (const [what, name, hostile] of [
    ["an unsigned token", "session_algorithm", `${forged({ alg: "none" }).split(".").slice(0, 2).join(".")}.`],
    ["another algorithm", "session_algorithm", forged({ alg: "HS512" }, SESSION_SECRET, "sha512")],
    ["a critical extension", "session_extension", forged({ alg: "HS256", crit: ["exp"] })],
    ["an empty key", "session_signature", forged({ alg: "HS256" }, "")],
    ["a key id that points elsewhere", "session_signature", forged({ alg: "HS256", kid: "../../dev/null", jku: "https://evil.example" }, "")],
    ["a token that is too long", "session_too_long", session({ pad: "x".repeat(8192) })],
    ["an exp in milliseconds", "session_exp_milliseconds", session({ exp: Date.now() + 60_000 })],
    ["an exp too far ahead", "session_exp_too_far", session({ exp: seconds(25 * 3600) })],
    ["no exp", "session_exp", session({ exp: undefined })],
    ["an unknown role", "session_role", session({ role: "root" })],
    ["roles in a list", "session_role", session({ role: ["driver", "admin"] })],
    ["a user id with a wildcard", "session_subject", session({ sub: "*" })],
    ["a job id with a separator", "session_jobs", session({ jobs: [job, "a:b"] })],
    ["no JWT at all", "session_malformed", "not.a-jwt"],
  ] as const) {
    test(`${what} is refused for good`, async () => {
      assertAblyError(await token(bearer(hostile)), 403, 40300);
      const problem = assertProblem(await location("POST", bearer(hostile)), 403, name);
      assert.ok(problem.detail.length > 0);
    });
  }

  test("a session that is not valid yet is 401: it will be", async () => {
    const headers = bearer(session({ nbf: seconds(600) }));
    assertAblyError(await token(headers), 401, 40100);
    assertProblem(await location("GET", headers), 401, "session_not_yet_valid");
  });
});

describe("sessions where issuer and audience are configured, and no cookie is", () => {
  let service: Service;
  const token = (claims: object) => service.send("GET", "/api/ably-token", { headers: bearer(session(claims)) });
  before(async () => {
    service = await Service.start({ SESSION_ISSUER: "https://id.example", SESSION_AUDIENCE: "towline", SESSION_MAX_HOURS: "1" });
  });
  after(() => service.stop());

  test("both are demanded", async () => {
    const good = { iss: "https://id.example", aud: "towline", exp: seconds(3000) };
    assert.equal((await token(good)).status, 200);
    assert.equal((await token({ ...good, aud: ["other", "towline"] })).status, 200);
    for (const bad of [{ iss: undefined }, { iss: "https://id.example/" }, { aud: undefined }, { aud: "other" }, { aud: ["tow", "line"] }]) {
      assertAblyError(await token({ ...good, ...bad }), 403, 40300);
    }
    assertAblyError(await token({ ...good, exp: seconds(3700) }), 403, 40300);
  });

  test("a cookie means nothing", async () => {
    const cookie = `session=${session({ iss: "https://id.example", aud: "towline", exp: seconds(3000) })}`;
    assertAblyError(await service.send("GET", "/api/ably-token", { headers: { cookie } }), 401, 40100);
  });
});
