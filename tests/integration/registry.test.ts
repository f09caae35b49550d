// Registered jobs: who takes part, and access that ends when it should.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertTaken } from "./support/answers.ts";
import { held } from "./support/fake-ably.ts";
import type { Answer, Headers } from "./support/http.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const FIX = { lat: 1, lng: 2 };

describe("registered jobs", () => {
  let service: Service;
  before(async () => {
    // Where there are some, whoever leaves is revoked again after two minutes.
    service = await Service.start({ TOKEN_REQUESTS: "off" });
  });
  after(() => service.stop());

  const send = (method: string, path: string, body?: unknown, headers: Headers = as("dispatcher")) =>
    service.send(method, path, { headers, ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }) });
  const put = (job: string, body: unknown, headers?: Headers) => send("PUT", `/api/jobs/${job}`, body, headers);
  const get = (job: string, headers: Headers) => send("GET", `/api/jobs/${job}`, undefined, headers);
  const close = (job: string, reason = "done") => send("POST", `/api/jobs/${job}/close`, { reason });
  const trail = (job: string, headers: Headers) => send("GET", `/api/jobs/${job}/locations`, undefined, headers);

  /** Those who take part: as the sessions of the tests name them. */
  const driver = (job: string, user = "driver-1") => as("driver", [job], { sub: user });
  const customer = (job: string, user = "customer-1") => as("customer", [job], { sub: user });
  const job = async (body: object = { driver: "driver-1", customers: ["customer-1"] }) => {
    const id = newJob();
    assert.equal((await put(id, body)).status, 201);
    return id;
  };
  const tagged = (answer: Answer, status: number, version: number) => {
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.header("etag"), `"${version}"`);
    assert.equal(answer.json.version, version);
    return answer.json;
  };

  test("a PUT registers, says the same again, and changes by the version that it has seen", async () => {
    const id = newJob();
    const body = { driver: "driver-1", customers: ["customer-1"], place: { lat: 48, lng: 16 }, dispatchId: "west" };
    const created = tagged(await put(id, body), 201, 1);
    assert.deepEqual([created.jobId, created.state, created.driver, created.customers, created.dispatchId], [id, "open", "driver-1", ["customer-1"], "west"]);
    assert.ok(created.epoch > 1_700_000_000 && created.endsAt > Date.now() + 71 * 3_600_000);
    assert.deepEqual(tagged(await put(id, body), 200, 1), created);
    assert.deepEqual(tagged(await put(id, body, { ...as("service"), "if-match": '"9"' }), 200, 1), created, "what is so already is no conflict");

    const other = { ...body, customers: [] };
    const conflict = await put(id, other, { ...as("admin"), "if-match": '"9", "8"' });
    assert.deepEqual([conflict.status, conflict.header("etag"), conflict.json.type], [412, '"1"', "urn:towline:problem:version_mismatch"]);
    assert.deepEqual([conflict.json.version, conflict.json.customers], [1, ["customer-1"]], "with what there is instead");
    const taken = await put(id, other, { ...as("admin"), "if-none-match": "*" });
    assert.deepEqual([taken.status, taken.header("etag"), taken.json.customers], [412, '"1"', ["customer-1"]], "it is there already");
    tagged(await put(id, other, { ...as("admin"), "if-match": 'W/"1"' }), 200, 2);
    tagged(await put(newJob(), other, { ...as("admin"), "if-none-match": "*" }), 201, 1);
    for (const wrong of [{ "if-none-match": '"1"' }, { "if-none-match": "*", "if-match": "*" }]) {
      assert.equal(assertProblem(await put(id, body, { ...as("admin"), ...wrong }), 400, "invalid_if_none_match").reason, "not_a_star");
    }
    assertProblem(await put(newJob(), other, { ...as("admin"), "if-match": "*" }), 412, "version_mismatch");
    assert.equal(assertProblem(await put(id, other, { ...as("admin"), "if-match": "1" }), 400, "invalid_if_match").reason, "not_an_etag");
  });

  test("only who hands jobs out changes them, and nothing is touched for others", async () => {
    const id = newJob();
    for (const headers of [driver(id), customer(id)]) {
      assertProblem(await put(id, { driver: null, customers: [] }, headers), 403, "not_a_dispatcher");
      assertProblem(await send("POST", `/api/jobs/${id}/close`, "{", headers), 403, "not_a_dispatcher");
      for (const method of ["PUT", "DELETE"]) {
        assertProblem(await send(method, `/api/jobs/${id}/customers/eve`, undefined, headers), 403, "not_a_dispatcher");
      }
    }
    for (const [body, field] of [[{}, "driver"], [{ driver: null }, "customers"], [{ driver: 1, customers: [] }, "driver"]] as const) {
      assert.equal(assertProblem(await put(id, body), 400, "invalid_job").field, field);
    }
    for (const request of [close(id), get(id, as("dispatcher")), get(id, driver(id)), send("PUT", `/api/jobs/${id}/customers/c`)]) {
      assertProblem(await request, 404, "not_registered");
    }
    assert.equal(assertProblem(await close(id, "expired"), 400, "invalid_job").field, "reason");
    const tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'";
    assert.deepEqual(await service.sql(id, tables), [], "nothing is kept");
  });

  test("each is told what is theirs to know, and somebody else nothing", async () => {
    const id = await job({ driver: "driver-1", customers: ["customer-1", "auth0|x"], place: { lat: 48, lng: 16 } });
    const seen = async (headers: Headers) => {
      const { driver, customers, place } = tagged(await get(id, headers), 200, 1);
      return { driver, customers, place };
    };
    const place = { lat: 48, lng: 16 };
    assert.deepEqual(await seen(as("service")), { driver: "driver-1", customers: ["auth0|x", "customer-1"], place });
    assert.deepEqual(await seen(driver(id)), { driver: "driver-1", customers: undefined, place });
    assert.deepEqual(await seen(customer(id)), { driver: undefined, customers: ["customer-1"], place: undefined });
    for (const headers of [driver(id, "driver-2"), customer(id, "customer-2"), as("customer")]) {
      for (const request of [get(id, headers), service.state(id, headers), trail(id, headers)]) {
        assertProblem(await request, 403, "not_a_participant");
      }
    }
    assertProblem(await service.post(id, FIX, driver(id, "driver-2")), 403, "not_a_participant");
    assertProblem(await service.post(id, { ...FIX, driver: "driver-2" }, as("service")), 403, "not_a_participant");
    assert.equal(assertTaken(await service.post(id, { ...FIX, driver: "driver-1" }, as("service")), id)[0].seq, 1);
  });

  test("customers come and go, each by a name that is decoded once", async () => {
    const id = await job();
    const path = (user: string) => `/api/jobs/${id}/customers/${user}`;
    assert.deepEqual(tagged(await send("PUT", path("auth0%7Cx")), 200, 2).customers, ["auth0|x", "customer-1"]);
    assert.equal((await get(id, customer(id, "auth0|x"))).status, 200);
    for (const user of ["a%2Fb", "%ff", "%", ""]) assertProblem(await send("PUT", path(user)), 400, "invalid_id");
    assert.deepEqual(tagged(await send("PUT", path("a%252Fb")), 200, 3).customers, ["a%2Fb", "auth0|x", "customer-1"]);
    tagged(await send("DELETE", path("auth0%7Cx")), 200, 4);
    tagged(await send("DELETE", path("auth0%7Cx")), 200, 4);
    assertProblem(await get(id, customer(id, "auth0|x")), 403, "not_a_participant");
    await until("the revocation", () => service.ably.revocations("clientId:auth0|x").length > 0);
  });

  test("another driver begins an epoch: what waits of the old one never leaves", async () => {
    const id = await job();
    await service.ably.arrived(id, 2);
    const first = held();
    service.ably.plan(id, first.behaviour);
    await service.post(id, FIX, driver(id));
    await service.ably.arrived(id, 3);
    await service.post(id, FIX, driver(id));
    const { epoch } = tagged(await put(id, { driver: "driver-2", customers: ["customer-1"] }), 200, 2);
    const results = assertTaken(await service.post(id, { locations: [FIX] }, driver(id)), id);
    assert.deepEqual(results.map(({ status, reason }) => [status, reason]), [["rejected", "reassigned"]]);
    const { seq, epoch: shown } = (await service.state(id, customer(id))).json;
    assert.deepEqual([shown, seq], [epoch, 0]);
    assertProblem(await service.state(id, driver(id)), 403, "not_a_participant");
    assert.equal(assertTaken(await service.post(id, FIX, driver(id, "driver-2")), id)[0].seq, 1);
    first.release();
    const published = await service.ably.arrived(id, 6);
    const told = published.map(({ message, event }) => [message.name, event.epoch === epoch, event.seq]);
    assert.deepEqual(told, [
      ["job.assigned", false, undefined],
      ["job.updated", false, undefined],
      ["location.updated", false, 1],
      ["job.reassigned", true, undefined],
      ["job.updated", true, undefined],
      ["location.updated", true, 1],
    ]);
    assert.deepEqual(Object.keys(published[3]?.event).sort(), ["afterSeq", "epoch", "jobId", "ts", "version"]);
    const [revocation] = service.ably.revocations("clientId:driver-1");
    assert.ok(revocation !== undefined && revocation.url.includes("/keys/AbCdEf.GhIjKl/") && revocation.issuedBefore <= Date.now());
    assert.deepEqual((await trail(id, driver(id, "driver-2"))).json.locations.map((it: any) => [it.epoch === epoch, it.seq]), [[true, 1]]);
    const all = (await trail(id, as("dispatcher"))).json;
    assert.deepEqual(all.locations.map((it: any) => it.seq), [1, 2, 1]);
    assert.equal(all.setAside.length, 1, "what was withdrawn has not reached subscribers");
  });

  test("closed is closed: for posts, reads and tokens, with one last event, and after a sleep", async () => {
    const id = await job();
    await service.post(id, { ...FIX, id: "x" }, driver(id));
    await service.ably.arrived(id, 3);
    const closed = await close(id);
    const { state, reason, closedAt } = tagged(closed, 200, 2);
    assert.deepEqual([state, reason], ["closed", "done"]);
    assert.ok(Math.abs(closedAt - Date.now()) < 30_000);
    const last = (await service.ably.arrived(id, 4)).at(-1);
    assert.deepEqual([last?.message.name, last?.event.reason], ["job.closed", "done"]);
    await until("the revocation", () => service.ably.revocations(`revocationKey:job:${id}`).length > 0);
    const [revocation] = service.ably.revocations(`revocationKey:job:${id}`);
    assert.deepEqual(revocation?.targets, [`revocationKey:job:${id}`, "clientId:driver-1", "clientId:customer-1"]);
    assert.equal(revocation?.issuedBefore, closedAt);
    for (const sleep of [false, true]) {
      if (sleep) await service.evict(id);
      assert.equal((await close(id, "failed")).text, closed.text, "again the same");
      const results = assertTaken(await service.post(id, { locations: [FIX, { ...FIX, id: "x" }] }, driver(id)), id);
      assert.deepEqual(results.map(({ status, reason }) => reason ?? status), ["job_closed", "duplicate"]);
      for (const headers of [driver(id), customer(id)]) {
        for (const request of [get(id, headers), service.state(id, headers), trail(id, headers)]) {
          assert.equal(assertProblem(await request, 403, "job_closed").reason, "done");
        }
      }
      assertProblem(await put(id, { driver: "driver-2", customers: [] }), 409, "job_closed");
      assertProblem(await send("PUT", `/api/jobs/${id}/customers/eve`), 409, "job_closed");
      assert.equal((await trail(id, as("dispatcher"))).json.locations.length, 1);
      assert.equal((await get(id, as("admin"))).json.state, "closed");
    }
    assert.equal(service.ably.publishes(id).length, 4, "and nothing after that");
  });

  /** All that a job's object keeps, as text. */
  const kept = async (id: string) => {
    const tables = await service.sql(id, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'");
    return JSON.stringify(await Promise.all(tables.map(({ name }) => service.sql(id, `SELECT * FROM ${name}`))));
  };
  const PLACE = { lat: 48.2082, lng: 16.3738 };
  const assertNothingOf = async (id: string, state: string) => {
    const text = await kept(id);
    for (const secret of [id, "driver-1", "customer-1", "fix-x", "west", "48.2082", "16.3738"]) assert.ok(!text.includes(secret), `${secret} in ${text}`);
    assert.deepEqual(await service.sql(id, "SELECT job, state, needs FROM meta"), [{ job: "", state, needs: '["tombstone"]' }]);
  };
  const assertForgotten = async (id: string) => {
    const results = assertTaken(await service.post(id, { locations: [FIX, { ...PLACE, id: "fix-x" }] }, driver(id)), id);
    assert.deepEqual(results.map(({ reason }) => reason), ["job_closed", "job_closed"]);
    for (const [headers, status, type] of [[driver(id), 403, "job_closed"], [customer(id), 403, "job_closed"], [as("service"), 404, "job_forgotten"]] as const) {
      for (const request of [get(id, headers), service.state(id, headers), trail(id, headers)]) assertProblem(await request, status, type);
    }
    assertProblem(await put(id, { driver: "driver-2", customers: [] }), 409, "job_closed");
    assertProblem(await send("PUT", `/api/jobs/${id}/customers/eve`), 409, "job_closed");
    assert.deepEqual((await close(id)).json, { jobId: id, state: "closed" });
    const token = await service.send("GET", `/api/ably-token?jobId=${id}`, { headers: customer(id) });
    assert.equal(token.header("x-ably-errorcode"), "40160");
    const ref = await service.reference(id);
    assertProblem(await send("GET", `/api/refs/${ref}`, undefined, as("admin")), 404, "unknown_ref");
    assert.equal((await send("DELETE", `/api/jobs/${id}`)).status, 204);
  };

  test("a job that is deleted is closed for ever, and leaves no byte of anybody", async () => {
    const id = await job({ driver: "driver-1", customers: ["customer-1"], place: PLACE, dispatchId: "west" });
    await service.post(id, { ...PLACE, id: "fix-x" }, driver(id));
    await service.ably.arrived(id, 3);
    const deleted = await send("DELETE", `/api/jobs/${id}`, undefined, as("service"));
    assert.deepEqual([deleted.status, deleted.text], [204, ""]);
    const last = (await service.ably.arrived(id, 4)).at(-1);
    assert.deepEqual([last?.message.name, last?.event.reason], ["job.closed", "cancelled"]);
    await until("the revocation", () => service.ably.revocations(`revocationKey:job:${id}`).length > 0);
    assert.deepEqual(service.ably.revocations(`revocationKey:job:${id}`)[0]?.targets, [`revocationKey:job:${id}`, "clientId:driver-1", "clientId:customer-1"]);
    await assertForgotten(id);
    await until("it to be forgotten", async () => !(await kept(id)).includes(id));
    for (const sleep of [false, true]) {
      if (sleep) await service.forget(id);
      await assertForgotten(id);
      await assertNothingOf(id, "forgotten");
    }
    assert.equal(service.ably.publishes(id).length, 4, "and nothing after that");
  });

  test("a job that claims have is deleted too, and one that nobody knows is not there", async () => {
    const id = newJob();
    assertProblem(await send("DELETE", `/api/jobs/${id}`), 404, "not_registered");
    assertProblem(await send("DELETE", `/api/jobs/${id}`, undefined, driver(id)), 403, "not_a_dispatcher");
    assert.equal(await kept(id), "[]");
    await service.post(id, { ...PLACE, id: "fix-x" }, driver(id));
    await service.ably.arrived(id, 1);
    assert.equal((await send("DELETE", `/api/jobs/${id}`)).status, 204);
    await until("the revocation", () => service.ably.revocations(`revocationKey:job:${id}`).length > 0);
    assert.deepEqual(service.ably.revocations(`revocationKey:job:${id}`)[0]?.targets, [`revocationKey:job:${id}`]);
    await until("it to be forgotten", async () => !(await kept(id)).includes(id));
    await assertNothingOf(id, "forgotten");
    await assertForgotten(id);
    assert.deepEqual(service.ably.publishes(id).map(({ message }) => message.name), ["location.updated", "job.closed"]);
  });

  test("what has had its time goes: a closed job for good, and the trail of one that claims have", async () => {
    const [closed, claimed] = [await job({ driver: "driver-1", customers: ["customer-1"], place: PLACE, dispatchId: "west" }), newJob()];
    for (const id of [closed, claimed]) await service.post(id, { ...PLACE, id: "fix-x" }, driver(id));
    await service.ably.arrived(closed, 3);
    await service.ably.arrived(claimed, 1);
    await close(closed);
    await until("the revocation", () => service.ably.revocations(`revocationKey:job:${closed}`).length > 0);
    const { epoch } = (await service.state(claimed, driver(claimed))).json;
    // As if that were 31 days ago.
    const ago = 31 * 24 * 3_600_000;
    await service.evict(closed);
    await service.evict(claimed);
    await service.sql(closed, `UPDATE registration SET body = json_set(body, '$.ended.at', json_extract(body, '$.ended.at') - ${ago})`);
    await service.sql(claimed, `UPDATE log SET ts = ts - ${ago}`);
    await service.forget(closed);
    await service.forget(claimed);
    await assertForgotten(closed);
    await assertNothingOf(closed, "forgotten");
    assert.deepEqual((await trail(claimed, as("service"))).json.locations, []);
    await assertNothingOf(claimed, "open");
    const answer = await service.post(claimed, { ...PLACE, id: "fix-x" }, driver(claimed));
    assert.deepEqual(assertTaken(answer, claimed).map(({ status, seq }) => [status, seq]), [["accepted", 1]]);
    assert.ok(answer.json.epoch > epoch, `${answer.json.epoch} is after ${epoch}`);
  });

  test("a revocation that Ably does not take is asked for again", async () => {
    const id = await job();
    service.ably.planRevocations(`revocationKey:job:${id}`, () => new Response(null, { status: 503 }), ({ targets }) => Response.json({ successCount: 0, failureCount: targets.length, results: [] }, { status: 201 }));
    await close(id);
    await until("the third try", () => service.ably.revocations(`revocationKey:job:${id}`).length > 2, 60_000);
    const all = service.ably.revocations(`revocationKey:job:${id}`);
    assert.equal(new Set(all.map(({ issuedBefore, targets }) => JSON.stringify([issuedBefore, targets]))).size, 1, "the same each time");
    await until("it to be forgotten", async () => (await service.sql(id, "SELECT 1 FROM tasks WHERE kind = 'revoke'")).length === 0);
  });

  test("a job that everybody has forgotten ends by itself, by the alarm", async () => {
    const id = newJob();
    const endsAt = Date.now() + 1_500;
    assert.equal((await put(id, { driver: "driver-1", customers: [], endsAt })).json.endsAt, endsAt);
    const told = await service.ably.arrived(id, 3);
    assert.deepEqual(told.map(({ message }) => message.name), ["job.assigned", "job.updated", "job.closed"]);
    assert.equal(told[2]?.event.reason, "expired");
  });

  test("a session's claim lets nobody into a registered job, and is still needed", async () => {
    const id = await job();
    for (const headers of [as("driver"), as("customer")]) {
      assertProblem(await service.state(id, headers), 403, "not_a_participant");
    }
  });

  test("a token has the channels of those jobs alone that take its user in", async () => {
    const [id, other] = [await job(), newJob()];
    const channels = async (headers: Headers, query = "") => {
      const answer = await service.send("GET", `/api/ably-token${query}`, { headers });
      assert.equal(answer.status, 200, answer.text);
      const claims = JSON.parse(Buffer.from(answer.text.split(".")[1] ?? "", "base64url").toString());
      const named = Object.keys(JSON.parse(claims["x-ably-capability"])).filter((name) => name.startsWith("dispatch:job:"));
      return named.map((name) => name.slice(13));
    };
    const both = (user: string) => as("customer", [id, other], { sub: user });
    assert.deepEqual(await channels(both("customer-1")), [id, other].sort());
    assert.deepEqual(await channels(both("customer-2")), [other]);
    const refused = await service.send("GET", `/api/ably-token?jobId=${id}`, { headers: both("customer-2") });
    assert.equal(refused.header("x-ably-errorcode"), "40160");
    // In the second of the close a token would be revoked with those of before it.
    const { closedAt } = (await close(id)).json;
    const asked = await service.send("GET", "/api/ably-token", { headers: both("customer-1") });
    const { iat } = JSON.parse(Buffer.from(asked.text.split(".")[1] ?? "", "base64url").toString());
    assert.ok(iat * 1000 >= closedAt, `${iat} is not before ${closedAt}`);
    assert.deepEqual(await channels(both("customer-1")), [other]);
    assert.deepEqual(await channels(as("dispatcher")), ["*"]);
  });
});

test("without a registry there are no routes of it, and a session's claim decides", async () => {
  const service = await Service.start({ JOB_REGISTRY: "off" });
  try {
    const id = newJob();
    const body = JSON.stringify({ driver: null, customers: [] });
    for (const [method, path] of [["PUT", ""], ["GET", ""], ["POST", "/close"], ["PUT", "/customers/c"], ["DELETE", "/customers/c"], ["DELETE", ""]]) {
      const answer = await service.send(method ?? "", `/api/jobs/${id}${path}`, { headers: as("admin"), ...(method !== "GET" && { body }) });
      assertProblem(answer, 404, "not_found");
    }
    assert.equal((await service.send("GET", "/api/ably-token", { headers: as("customer", [id]) })).status, 200);
    assert.deepEqual(await service.objects(), []);
  } finally {
    await service.stop();
  }
});
