// Tokens: what they grant, checked by a verification that shares nothing with the service.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { assertAblyError, assertPrivate } from "./support/answers.ts";
import type { Answer, Headers } from "./support/http.ts";
import { ABLY_KEY, Service, as, bearer, driverOf, seconds, session } from "./support/service.ts";
import type { Role } from "./support/service.ts";

const [KEY_NAME = "", KEY_SECRET = ""] = ABLY_KEY.split(":");
const FORM = { "content-type": "application/x-www-form-urlencoded" };
/** What ably-js sends at every call of an `authUrl`. */
const ABLY_JS_ACCEPT = "application/json, text/plain";

const SUBSCRIBE = ["subscribe"];
const BOTH = ["presence", "subscribe"];

const MANY = Array.from({ length: 50 }, (_, index) => `${index}-`.padEnd(64, "x"));
/** As many jobs as a session may have, with ids as long as they may be, and a user id that each layer of JSON escapes. */
const LARGEST = as("driver", MANY, { sub: "\\".repeat(128) });

/** The claims of an Ably JWT that Ably would take. */
function verified(answer: Answer): any {
  assert.equal(answer.status, 200, answer.text);
  assertPrivate(answer);
  assert.equal(answer.header("content-type"), "application/jwt");
  const [header = "", payload = "", signature = "", ...rest] = answer.text.split(".");
  assert.deepEqual(rest, []);
  assert.ok(answer.body.length <= 8192);
  assert.match(answer.text, /^[\w.-]+$/, "base64url without padding");
  assert.equal(createHmac("sha256", KEY_SECRET).update(`${header}.${payload}`).digest("base64url"), signature);
  const parse = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
  assert.deepEqual(parse(header), { typ: "JWT", alg: "HS256", kid: KEY_NAME });
  const { "x-ably-capability": capability, ...claims } = parse(payload);
  assert.equal(typeof capability, "string");
  assert.ok(Number.isInteger(claims.iat) && Number.isInteger(claims.exp));
  assert.ok(Math.abs(seconds() - claims.iat) <= 30, "iat is not backdated");
  return { ...claims, capability: JSON.parse(capability) };
}

/** A TokenRequest that Ably would take. */
function verifiedRequest(answer: Answer): any {
  assert.equal(answer.status, 200, answer.text);
  assertPrivate(answer);
  assert.equal(answer.header("content-type"), "application/json");
  const { mac, ...signed } = answer.json;
  assert.deepEqual(Object.keys(signed).sort(), ["capability", "clientId", "keyName", "nonce", "timestamp", "ttl"]);
  const { keyName, ttl, capability, clientId, timestamp, nonce } = signed;
  const text = [keyName, ttl, capability, clientId, timestamp, nonce].map((line) => `${line}\n`).join("");
  assert.equal(createHmac("sha256", KEY_SECRET).update(text).digest("base64"), mac);
  assert.equal(keyName, KEY_NAME);
  assert.ok(nonce.length >= 16);
  assert.ok(Math.abs(Date.now() - timestamp) <= 30_000);
  const parsed = JSON.parse(capability);
  assert.equal(capability, JSON.stringify(Object.fromEntries(Object.entries(parsed).sort())), "canonical");
  return { ...signed, capability: parsed };
}

describe("tokens", () => {
  let service: Service;
  const get = (query: string, headers: Headers) => service.send("GET", `/api/ably-token${query}`, { headers });
  const post = (form: string, headers: Headers, query = "") =>
    service.send("POST", `/api/ably-token${query}`, { headers: { ...FORM, ...headers }, body: form });
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  const own = (role: Role) => ({ [`notifications:user:${role}-1`]: SUBSCRIBE });
  const jobs = (...ids: string[]) => Object.fromEntries(ids.map((id) => [`dispatch:job:${id}`, SUBSCRIBE]));
  const duty = { "presence:dispatch": BOTH, "presence:dispatch:*": BOTH };
  for (const [role, all, one] of [
    ["driver", { ...jobs("a", "b"), ...own("driver"), "presence:dispatch": ["presence"] }, { ...jobs("a"), ...own("driver"), "presence:dispatch": ["presence"] }],
    ["customer", { ...jobs("a", "b"), ...own("customer") }, { ...jobs("a"), ...own("customer") }],
    ["dispatcher", { ...jobs("*"), ...own("dispatcher"), ...duty }, { ...jobs("a"), ...own("dispatcher"), ...duty }],
    ["admin", { ...jobs("*"), ...own("admin"), ...duty, "admin:ops": SUBSCRIBE }, { ...jobs("a"), ...own("admin"), ...duty, "admin:ops": SUBSCRIBE }],
  ] as const) {
    test(`a ${role} gets exactly what the policy says, under their own name`, async () => {
      const claims = verified(await get("", as(role, ["a", "b"])));
      assert.deepEqual(claims.capability, all);
      assert.equal(claims["x-ably-clientId"], `${role}-1`);
      assert.equal(claims["x-ably-revocation-key"], undefined, "more than one job has no one key");
      assert.equal(claims.exp - claims.iat, 15 * 60);
    });
    test(`jobId removes other jobs' channels, and nothing else, for a ${role}`, async () => {
      for (const answer of [await get("?jobId=a", as(role, ["a", "b"])), await post("jobId=a", as(role, ["a", "b"]))]) {
        const claims = verified(answer);
        assert.deepEqual(claims.capability, one);
        assert.equal(claims["x-ably-revocation-key"], "job:a");
      }
    });
  }

  test("a token with one job's channel can be revoked by the job", async () => {
    assert.equal(verified(await get("", driverOf("only")))["x-ably-revocation-key"], "job:only");
    assert.equal(verified(await get("", driverOf()))["x-ably-revocation-key"], undefined);
  });

  test("a driver or customer of no such job is refused it, in the query and in the form", async () => {
    for (const role of ["driver", "customer"] as const) {
      for (const list of [[], ["b"], ["A"], ["aa"]]) {
        assertAblyError(await get("?jobId=a", as(role, list)), 403, 40160);
        assertAblyError(await post("jobId=a", as(role, list)), 403, 40160);
      }
    }
  });

  test("the back end gets no token", async () => {
    for (const query of ["", "?jobId=a", "?format=token-request"]) assertAblyError(await get(query, as("service", ["a"])), 403, 40160);
  });

  test("ably-js's Accept header gets the JWT, as every other does", async () => {
    for (const accept of [ABLY_JS_ACCEPT, "application/json", "text/plain", "*/*", "application/jwt", "image/png", undefined]) {
      verified(await get("", { ...driverOf("a"), accept }));
      verified(await post("", { ...driverOf("a"), accept }));
    }
  });

  test("a TokenRequest is signed only where format=token-request asks for one, in the query or in the form", async () => {
    const capability = { "dispatch:job:a": SUBSCRIBE, "notifications:user:driver-1": SUBSCRIBE, "presence:dispatch": ["presence"] };
    const nonces = new Set<string>();
    for (const answer of [
      await get("?format=token-request", { ...driverOf("a"), accept: ABLY_JS_ACCEPT }),
      await post("format=token-request", driverOf("a")),
      await post("jobId=a", driverOf("a", "b"), "?format=token-request"),
    ]) {
      const request = verifiedRequest(answer);
      assert.deepEqual(request.capability, capability);
      assert.equal(request.clientId, "driver-1");
      assert.equal(request.ttl, 15 * 60_000);
      nonces.add(request.nonce);
    }
    assert.equal(nonces.size, 3);
    for (const format of ["jwt", "Token-Request", "tokenRequest", "", "json"]) verified(await get(`?format=${format}`, driverOf("a")));
  });

  test("what else a client sends is ignored: capability, timestamp, nonce, keyName, mac", async () => {
    const wishes = new URLSearchParams({
      capability: '{"*":["*"]}', timestamp: "1", nonce: "n", keyName: "other.key", mac: "m", rnd: "0.1", role: "admin", sub: "eve", jobs: "b", exp: "9",
    }).toString();
    for (const answer of [await get(`?${wishes}`, driverOf("a")), await post(wishes, driverOf("a"))]) {
      const claims = verified(answer);
      assert.deepEqual(Object.keys(claims.capability), ["dispatch:job:a", "notifications:user:driver-1", "presence:dispatch"]);
      assert.equal(claims["x-ably-clientId"], "driver-1");
    }
    const request = verifiedRequest(await get(`?format=token-request&${wishes}`, driverOf("a")));
    assert.ok(request.nonce !== "n" && request.timestamp !== 1);
    assert.deepEqual(Object.keys(request.capability), ["dispatch:job:a", "notifications:user:driver-1", "presence:dispatch"]);
  });

  test("another clientId is refused for good, and the own one is fine", async () => {
    for (const other of ["eve", "DRIVER-1", "*", "driver-1%20", "driver-11"]) {
      assertAblyError(await get(`?clientId=${other}`, driverOf("a")), 403, 40102);
      assertAblyError(await post(`clientId=${other}`, driverOf("a")), 403, 40102);
      assertAblyError(await get(`?format=token-request&clientId=${other}`, driverOf("a")), 403, 40102);
    }
    for (const query of ["?clientId=driver-1", "?clientId="]) verified(await get(query, driverOf("a")));
    const awkward = as("driver", [], { sub: "auth0|jane@example.com" });
    assert.equal(verified(await get("?clientId=auth0%7Cjane%40example.com", awkward))["x-ably-clientId"], "auth0|jane@example.com");
  });

  test("ttl shortens a token's life, and never lengthens it", async () => {
    for (const [ttl, life] of [["60000", 60], ["120000", 120], ["900000", 900], ["86400000", 900], ["60999", 60]] as const) {
      const claims = verified(await get(`?ttl=${ttl}`, driverOf("a")));
      assert.equal(claims.exp - claims.iat, life);
      assert.equal(verifiedRequest(await post(`format=token-request&ttl=${ttl}`, driverOf("a"))).ttl, Math.min(Number(ttl), 900_000));
    }
    for (const ttl of ["59999", "0", "-1", "x", "6e5", "", "1.5", "99999999999999999999"]) {
      assertAblyError(await get(`?ttl=${ttl}`, driverOf("a")), 400, 40003);
    }
  });

  test("no token outlives the session; a TokenRequest ends two minutes before it", async () => {
    const exp = seconds(300);
    const headers = bearer(session({ exp }));
    assert.equal(verified(await get("", headers)).exp, exp);
    const request = verifiedRequest(await get("?format=token-request", headers));
    assert.ok(request.timestamp + request.ttl + 120_000 <= exp * 1000);
    assert.ok(request.ttl > 100_000, `${request.ttl}`);
    assertAblyError(await get("?format=token-request", bearer(session({ exp: seconds(150) }))), 401, 40100);
  });

  test("parameters that are malformed or contradict each other are 400, and quote nothing", async () => {
    for (const query of ["?jobId=", "?jobId=a:b", "?jobId=*", "?jobId=a&jobId=b", "?jobId=%2e%2e", "?clientId=a&clientId=b", `?jobId=${"x".repeat(65)}`]) {
      const error = assertAblyError(await get(query, as("admin")), 400, 40003);
      assert.ok(!error.message.includes("a:b") && !error.message.includes("xxx"));
    }
    assertAblyError(await post("jobId=b", as("admin"), "?jobId=a"), 400, 40003);
    assertAblyError(await service.send("POST", "/api/ably-token", { headers: { ...FORM, ...as("admin") }, body: Buffer.from([0xff, 0xfe]) }), 400, 40000);
  });

  test("a form may be empty, is form-encoded, and at most 64 KiB", async () => {
    verified(await service.send("POST", "/api/ably-token", { headers: driverOf("a") }));
    verified(await post("jobId=a", { ...driverOf("a"), "content-type": "application/x-www-form-urlencoded; charset=UTF-8" }));
    for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x"]) {
      assertAblyError(await post("{}", { ...driverOf("a"), "content-type": type }), 415, 40000);
    }
    assertAblyError(await post("jobId=a", { ...driverOf("a"), "content-encoding": "gzip" }), 415, 40000);
    const big = `x=${"y".repeat(64 * 1024)}`;
    assertAblyError(await post(big, driverOf("a")), 413, 40009);
    const chunks = { headers: { ...FORM, ...driverOf("a") }, body: [Buffer.from(big)] };
    assertAblyError(await service.send("POST", "/api/ably-token", chunks), 413, 40009);
  });

  test("the largest session's token stays under 8 KB", async () => {
    const claims = verified(await get("", LARGEST));
    assert.equal(Object.keys(claims.capability).length, 52);
  });

  test("issuing tokens asks Ably nothing", () => {
    assert.deepEqual(service.ably.strays, []);
  });
});

test("with JOB_REGISTRY=off no job is touched, and the token is the same", async () => {
  const service = await Service.start({ JOB_REGISTRY: "off" });
  try {
    const get = (query: string, headers: Headers) => service.send("GET", `/api/ably-token${query}`, { headers });
    assert.deepEqual(Object.keys(verified(await get("", LARGEST)).capability).length, 52);
    assert.equal(verified(await get("?jobId=a", driverOf("a", "b")))["x-ably-revocation-key"], "job:a");
    verifiedRequest(await get("?format=token-request", driverOf("a", "b")));
    assertAblyError(await get("?jobId=c", driverOf("a", "b")), 403, 40160);
    assert.deepEqual(await service.objects(), []);
  } finally {
    await service.stop();
  }
});

test("a token over 8 KB is refused with the advice to pass jobId, and then fits", async () => {
  // The policy's own channels leave room for the largest session; a key name as long as this one does not.
  const service = await Service.start({ ABLY_API_KEY: `AbCdEf.${"k".repeat(1500)}:${KEY_SECRET}` });
  try {
    const error = assertAblyError(await service.send("GET", "/api/ably-token", { headers: LARGEST }), 403, 40300);
    assert.match(error.message, /jobId/);
    const narrowed = await service.send("GET", `/api/ably-token?jobId=${MANY[7]}`, { headers: LARGEST });
    assert.equal(narrowed.status, 200);
    assert.ok(narrowed.body.length <= 8192);
  } finally {
    await service.stop();
  }
});
