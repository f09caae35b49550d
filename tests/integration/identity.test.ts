// Headers and parameters by which a caller would be somebody else.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertAblyError, assertProblem, assertState, assertTaken } from "./support/answers.ts";
import type { Answer, Headers } from "./support/http.ts";
import { Service, as, driverOf, newJob } from "./support/service.ts";

/** What some gateway, framework or neighbour would believe. */
function pretences(job: string): Headers {
  return {
    "x-user-id": "eve", "x-user": "eve", "x-role": "admin", "x-user-role": "admin", "x-roles": "admin,service", "x-job-id": job, "x-jobs": job,
    "x-driver": "eve", "x-sub": "eve", "x-session": '{"sub":"eve","role":"admin"}', "x-auth-request-user": "eve", "x-authenticated-userid": "eve",
    "x-remote-user": "eve", "remote-user": "eve", "x-ably-clientid": "eve", "x-ably-version": "1", "ably-agent": "eve", "x-seq": "99", "x-epoch": "1",
    "cf-access-authenticated-user-email": "eve@example.com", "cf-access-jwt-assertion": "a.b.c", "cf-connecting-ip": "127.0.0.1", "cf-worker": "towline",
    "cf-ray": "0", "x-forwarded-for": "127.0.0.1", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "x-forwarded-user": "eve",
    "x-real-ip": "127.0.0.1", "x-original-url": `/api/jobs/${job}/location`, "x-rewrite-url": `/api/jobs/${job}/location`, "x-http-method-override": "GET",
    "x-method-override": "GET", forwarded: "for=127.0.0.1;host=evil.example", "x-request-id": "f".repeat(32), "x-correlation-id": "f".repeat(32), traceparent: "f",
    "x-actor-id": job, "x-do-id": job, "x-towline-user": "eve", "x-towline-role": "admin", "proxy-authorization": "Basic eve", "x-internal": "1", "x-admin": "true",
  };
}

describe("headers that try to be someone else", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  const claims = (answer: Answer) => {
    const { iat, exp, ...rest } = JSON.parse(Buffer.from(answer.text.split(".")[1] ?? "", "base64url").toString());
    return rest;
  };

  test("they sign nobody in", async () => {
    const job = newJob();
    assertAblyError(await service.send("GET", "/api/ably-token", { headers: pretences(job) }), 401, 40100);
    assertProblem(await service.post(job, { lat: 1, lng: 2 }, pretences(job)), 401, "session_missing");
    assertProblem(await service.state(job, pretences(job)), 401, "session_missing");
  });

  test("they open no foreign job", async () => {
    const job = newJob();
    const headers = { ...pretences(job), ...driverOf("other") };
    assertProblem(await service.post(job, { lat: 1, lng: 2 }, headers), 403, "not_a_participant");
    assertProblem(await service.state(job, headers), 403, "not_a_participant");
    assertAblyError(await service.send("GET", `/api/ably-token?jobId=${job}`, { headers }), 403, 40160);
    assertProblem(await service.post(job, { lat: 1, lng: 2 }, { ...pretences(job), ...as("customer", [job]) }), 403, "not_a_driver");
  });

  test("a token is the same with and without them", async () => {
    const job = newJob();
    for (const role of ["driver", "dispatcher", "customer", "admin"] as const) {
      const plain = await service.send("GET", "/api/ably-token", { headers: as(role, [job]) });
      const pretended = await service.send("GET", "/api/ably-token", { headers: { ...pretences("foreign"), ...as(role, [job]) } });
      assert.deepEqual(claims(pretended), claims(plain));
    }
  });

  test("what is stored, published and answered is the session's, not theirs", async () => {
    const [job, other] = [newJob(), newJob()];
    const answer = await service.post(job, { lat: 1, lng: 2 }, { ...pretences(other), ...driverOf(job) });
    assert.deepEqual(assertTaken(answer, job), [{ status: "accepted", seq: 1 }]);
    assert.notEqual(answer.header("x-request-id"), "f".repeat(32));
    const [row] = await service.sql(job, "SELECT body FROM log");
    assert.equal(JSON.parse(row.body).driver, "driver-1");
    const [publish] = await service.ably.arrived(job, 1);
    const arrived = JSON.stringify([[...publish!.headers], publish!.body]);
    for (const theirs of ["eve", "evil.example", other, "ffffffff"]) assert.ok(!arrived.includes(theirs), theirs);
    assert.equal(publish!.headers.get("x-ably-version"), "6");
    assert.equal(publish!.headers.get("x-ably-clientid"), null);
    assert.equal(service.ably.publishes(other).length, 0);
    assert.deepEqual(assertState(await service.state(other)), { jobId: other, epoch: null, seq: 0 });
  });

  test("parameters of the query do not either", async () => {
    const [job, other] = [newJob(), newJob()];
    const query = `?jobId=${other}&driver=eve&role=admin&sub=eve&job=${other}&_method=GET`;
    const answer = await service.send("POST", `/api/jobs/${job}/location${query}`, { headers: driverOf(job), body: '{"lat":1,"lng":2}' });
    assert.deepEqual(assertTaken(answer, job), [{ status: "accepted", seq: 1 }]);
    assert.equal((await service.ably.arrived(job, 1))[0]!.event.jobId, job);
    const foreign = await service.send("GET", `/api/jobs/${other}/location?jobId=${job}`, { headers: driverOf(job) });
    assertProblem(foreign, 403, "not_a_participant");
  });

  test("the method override of some frameworks changes nothing", async () => {
    for (const name of ["x-http-method-override", "x-http-method", "x-method-override"]) {
      const answer = await service.send("DELETE", "/api/jobs/a/location", { headers: { ...driverOf("a"), [name]: "GET" } });
      assertProblem(answer, 405, "method_not_allowed");
    }
  });

  test("two Authorization headers are one that is not valid, and never the first of two", async () => {
    const good = driverOf("a").authorization as string;
    const answer = await service.send("GET", "/api/ably-token", { headers: { authorization: `${good}, ${as("admin").authorization}` } });
    assertAblyError(answer, 403, 40300);
  });
});
