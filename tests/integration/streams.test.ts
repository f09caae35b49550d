// A job's events as they come, by server-sent events: order, ids, going on after a cut, and every limit.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertProblem, assertTaken } from "./support/answers.ts";
import { Counted } from "./support/counted.ts";
import type { Answer, Headers } from "./support/http.ts";
import { as, bearer, driverOf, newJob, seconds, Service, session } from "./support/service.ts";
import { Stream } from "./support/stream.ts";
import { until } from "./support/until.ts";

const PAGE = "https://a.example";
const FIX = { lat: 1, lng: 2 };

/** All of an answer that a client sees, but what differs with each. */
const bytes = ({ status, headers, text }: Answer) => [status, [...headers].filter(([name]) => name !== "date" && name !== "x-request-id"), text];

const brief = (stream: Stream) => stream.events.map(({ name, id }) => `${name} ${id?.slice(id.indexOf(".") + 1) ?? "-"}`);

describe("streams", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ TOKEN_REQUESTS: "off", CORS_ORIGINS: PAGE, SESSION_COOKIE: "session" });
  });
  after(() => service.stop());

  const open = async (t: TestContext, job: string, headers: Headers, query = "") => {
    const stream = await Stream.open(service.url, `/api/jobs/${job}/stream${query}`, headers);
    t.after(() => stream.close());
    return stream;
  };
  const get = (job: string, headers: Headers, query = "") => service.send("GET", `/api/jobs/${job}/stream${query}`, { headers });
  const post = async (job: string, body: object, headers?: Headers) => assertTaken(await service.post(job, body, headers), job);
  const change = async (method: string, path: string, body?: object) => {
    const sent = { headers: as("service"), ...(body && { body: JSON.stringify(body) }) };
    const answer = await service.send(method, `/api/jobs/${path}`, sent);
    assert.ok(answer.status < 300, answer.text);
    return answer;
  };
  /** A registered job. */
  const registered = async (body: object = {}) => {
    const job = newJob();
    await change("PUT", job, { driver: "driver-1", customers: ["customer-1"], ...body });
    return job;
  };

  test("first the state, then each event as it comes", async (t) => {
    const job = newJob();
    const stream = await open(t, job, driverOf(job));
    assert.equal(stream.status, 200);
    const [first] = await stream.take(1);
    assert.deepEqual([first?.name, first?.id, first?.data.seq, first?.data.epoch, stream.retry], ["state", undefined, 0, null, 2000]);
    assert.equal(first?.data.subHash, createHash("sha256").update("driver-1").digest("hex"));
    assert.ok(Math.abs(first?.data.now - Date.now()) < 60_000);
    await post(job, FIX);
    await post(job, { locations: [{ lat: 3, lng: 4 }, { lat: 5, lng: 6 }] });
    const [, second, third] = await stream.take(3);
    const { epoch } = second?.data;
    assert.deepEqual([second?.name, second?.id, second?.data.lat], ["location.updated", `${epoch}.1`, 1]);
    assert.deepEqual([third?.name, third?.id, third?.data.fromSeq, third?.data.backfill.length], ["location.updated", `${epoch}.3`, 2, 1]);
    await service.ably.reached(job, 3);
    assert.deepEqual(second?.data, service.ably.publishes(job)[0]?.event, "the data that subscribers get");
    const again = await open(t, job, as("dispatcher"));
    assert.deepEqual((await again.take(1)).map(({ name, id, data }) => [name, id, data.seq, data.lat]), [["state", `${epoch}.3`, 3, 5]]);
  });

  test("its head: nobody on the way keeps or compresses it, and a listed page may read it", async (t) => {
    const job = newJob();
    const { headers } = await open(t, job, { ...driverOf(job), origin: PAGE, "accept-encoding": "gzip, br" });
    assert.equal(headers["content-type"], "text/event-stream");
    assert.equal(headers["cache-control"], "private, no-store, no-transform");
    assert.equal(headers["content-encoding"], undefined);
    assert.match(String(headers["x-request-id"]), /^[0-9a-f]{32}$/);
    assert.deepEqual([headers["access-control-allow-origin"], headers["access-control-allow-credentials"]], [PAGE, "true"]);
    const preflight = await service.send("OPTIONS", `/api/jobs/${job}/stream`, { headers: { origin: PAGE, "access-control-request-method": "GET" } });
    assert.match(preflight.header("access-control-allow-headers") ?? "", /\blast-event-id\b/);
    const head = await service.send("HEAD", `/api/jobs/${job}/stream`, { headers: driverOf(job) });
    assert.deepEqual([head.status, head.header("content-type"), head.text], [200, "text/event-stream", ""]);
    const cookie = await open(t, job, { cookie: `session=${session({ jobs: [job] })}` });
    assert.equal((await cookie.take(1))[0]?.name, "state", "an EventSource sends a cookie alone");
  });

  test("who was cut off goes on, by the header or by the query, of which the header counts", async (t) => {
    const job = await registered();
    for (const lat of [1, 2, 3]) await post(job, { lat, lng: 1, id: String(lat) });
    await change("PUT", `${job}/customers/customer-2`);
    const live = await open(t, job, as("admin"));
    await live.take(1);
    await change("POST", `${job}/close`, { reason: "done" });
    assert.equal(await live.end(), "closed");
    const epoch = live.events[0]?.data.epoch;
    const rest = ["location.updated 2", "location.updated 3", "job.updated 3.1", "job.closed 3.2"];
    const after = { "last-event-id": `${epoch}.1` };
    for (const [headers, query] of [
      [after, ""],
      [after, `?after=${epoch}.3.1`],
      [{ "last-event-id": "" }, `?after=${epoch}.1`],
      [{}, `?after=${epoch}%2E1&x=1`],
    ] as const) {
      const stream = await open(t, job, { ...as("dispatcher"), ...headers }, query);
      assert.equal(await stream.end(), "closed");
      assert.deepEqual(brief(stream), ["state 1", ...rest, "end -"], `${JSON.stringify(headers)} ${query}`);
    }
    const stream = await open(t, job, as("dispatcher"), `?after=${epoch}.0.1`);
    await stream.end();
    assert.deepEqual(brief(stream), ["state 0.1", "job.updated 0.2", "location.updated 1", ...rest, "end -"]);
  });

  test("who cannot go on begins anew and is told so, and a query that is no id is a 400", async (t) => {
    const job = newJob();
    await post(job, FIX);
    const epoch = (await service.state(job)).json.epoch;
    for (const id of [`${epoch}.2`, `${epoch}.1.1`, `${epoch + 1}.1`, "garbage", `${epoch}.1.0`]) {
      const stream = await open(t, job, { ...driverOf(job), "last-event-id": id });
      const [resync] = await stream.take(2);
      assert.deepEqual(brief(stream), ["resync -", "state 1"], id);
      assert.ok(resync?.data.now > 0);
      stream.close();
    }
    for (const query of ["after=", "after=garbage", `after=${epoch}.1.0`, `after=${epoch}.1&after=${epoch}.2`]) {
      const problem = assertProblem(await get(job, driverOf(job), `?${query}`), 400, "invalid_parameter");
      assert.equal(problem.field, "after");
    }
  });

  test("a job that is none of theirs is refused as everywhere, and is not touched", async () => {
    const job = await registered();
    const other = newJob();
    for (const headers of [as("customer", []), driverOf(newJob())]) {
      for (const id of [job, other]) {
        assert.deepEqual(bytes(await get(id, headers)), bytes(await service.state(id, headers)));
      }
    }
    assert.deepEqual(bytes(await get(job, as("customer", [job], { sub: "eve" }))), bytes(await get(other, as("customer", []))));
    assertProblem(await get(job, {}), 401, "session_missing");
    assertProblem(await get(job, { ...as("admin"), "towline-user": "somebody-else" }), 403, "session_of_another_user");
    assert.ok(!(await service.objects()).includes(await service.reference(other)));
    await change("DELETE", job);
    assertProblem(await get(job, as("admin")), 404, "job_forgotten");
    assertProblem(await get(job, as("customer", [job])), 403, "job_closed");
  });

  test("it ends with the session, on the second, and goes on under the next", async (t) => {
    const job = newJob();
    await post(job, FIX);
    const exp = seconds(3);
    const stream = await open(t, job, bearer(session({ jobs: [job], exp })));
    assert.equal(await stream.end(), "expired");
    const late = Date.now() - exp * 1000;
    assert.ok(late >= -50 && late < 1_000, `${late} ms`);
    await post(job, { lat: 2, lng: 2 });
    const next = await open(t, job, { ...driverOf(job), "last-event-id": stream.lastId });
    await next.take(2);
    assert.deepEqual(brief(next), ["state 1", "location.updated 2"]);
  });

  test("it ends within a second of the access, for those whose access has, and goes on for others", async (t) => {
    const job = await registered({ customers: ["customer-1", "customer-2"] });
    const streams = {
      driver: await open(t, job, driverOf(job)),
      removed: await open(t, job, as("customer", [job])),
      customer: await open(t, job, as("customer", [job], { sub: "customer-2" })),
      staff: await open(t, job, as("dispatcher")),
    };
    for (const stream of Object.values(streams)) await stream.take(1);
    const ends = async (stream: Stream, reason: string, ending: Promise<unknown>) => {
      const began = performance.now();
      await ending;
      assert.equal(await stream.end(), reason);
      assert.ok((stream.events.at(-1)?.at ?? Infinity) - began < 1_000, reason);
    };
    await ends(streams.removed, "removed", change("DELETE", `${job}/customers/customer-1`));
    await post(job, FIX);
    await ends(streams.driver, "reassigned", change("PUT", job, { driver: "driver-2", customers: ["customer-2"] }));
    assertProblem(await get(job, driverOf(job)), 403, "not_a_participant");
    await post(job, { lat: 3, lng: 4 }, as("driver", [job], { sub: "driver-2" }));
    await ends(streams.staff, "closed", change("POST", `${job}/close`, { reason: "failed" }));
    await ends(streams.customer, "closed", Promise.resolve());
    const reassigned = ["job.reassigned 0.1", "job.updated 0.2"];
    const told = ["state 0.2", "job.updated 0.3", "location.updated 1", ...reassigned, "location.updated 1", "job.closed 1.1", "end -"];
    assert.deepEqual(brief(streams.customer), told);
    assert.deepEqual(brief(streams.staff), told);
    assert.deepEqual(brief(streams.driver), ["state 0.2", "job.updated 0.3", "location.updated 1", "end -"]);
    assert.deepEqual(brief(streams.removed), ["state 0.2", "end -"]);
    assert.equal(new Set(streams.staff.events.map(({ data }) => data.epoch)).size, 3, "two epochs, and no more");
    assert.ok(!/driver-|customer-|service/.test(streams.customer.text), "nobody is named");
  });

  test("what ends by itself or is deleted ends its streams", async (t) => {
    const deleted = await registered();
    const stream = await open(t, deleted, as("customer", [deleted]));
    await stream.take(1);
    await change("DELETE", deleted);
    assert.equal(await stream.end(), "closed");
    assert.deepEqual(brief(stream), ["state 0.2", "job.closed 0.3", "end -"]);
    const job = await registered({ endsAt: Date.now() + 2_000 });
    const expiring = await open(t, job, as("customer", [job]));
    assert.equal(await expiring.end(), "closed");
    assert.deepEqual(brief(expiring), ["state 0.2", "job.closed 0.3", "end -"]);
    assert.equal(expiring.events[1]?.data.reason, "expired");
  });

  test("behind a gate there is nothing to see, and then what comes after it has opened", async (t) => {
    const job = await registered({ place: { lat: 48, lng: 16 }, gate: { customer: { within: 500 } } });
    const at = (lat: number, id: string) => post(job, { lat, lng: 16, accuracy: 5, id });
    await at(49, "a");
    const stream = await open(t, job, as("customer", [job]), "?after=1700000000.1");
    const [first] = await stream.take(1);
    assert.deepEqual(Object.keys(first?.data).sort(), ["gate", "jobId", "now", "subHash", "withheld"]);
    await at(48.9, "b");
    await at(48.001, "c");
    await at(48.0005, "d");
    const [, opened, state, ...rest] = await stream.take(5);
    assert.deepEqual(brief(stream).slice(0, 3), ["state -", "gate.opened -", "state 3"]);
    assert.equal(opened?.data.jobId, job);
    assert.equal(state?.data.seq, 0, "the fix that opens it is not shown");
    assert.deepEqual(rest.map(({ name, data }) => [name, data.lat]), [["location.updated", 48.0005], ["driver.arrived", undefined]]);
    assert.ok(!/"lat":(49|48\.9|48\.001)[,}]/.test(stream.text));
    const from = Date.now() + 1_500;
    await change("PUT", job, { driver: "driver-1", customers: ["customer-1"], gate: { customer: { from } } });
    const [, , , , , closed, again] = await stream.take(7);
    assert.deepEqual([closed?.name, closed?.data.gate, closed?.data.opensAt, closed?.id], ["state", "from", from, undefined]);
    assert.deepEqual([again?.name, again?.data.ts], ["gate.opened", from]);
    assert.ok(Date.now() - from < 1_000);
  });

  test("five streams a user, of whom the oldest ends for the sixth", async (t) => {
    const job = newJob();
    const streams = [];
    for (let count = 0; count < 6; count += 1) {
      streams.push(await open(t, job, driverOf(job)));
      await streams.at(-1)?.take(1);
    }
    const [first, ...others] = streams;
    assert.equal(await first?.end(), "replaced");
    await open(t, job, as("customer", [job]));
    await post(job, FIX);
    for (const stream of others) assert.equal((await stream.take(2))[1]?.name, "location.updated");
  });

  test("two hundred streams a job, each of which is told all, and then there is no room", async (t) => {
    const job = newJob();
    const user = (nth: number) => as("customer", [job], { sub: `user-${nth}` });
    const streams: Stream[] = [];
    for (let nth = 0; nth < 40; nth += 1) {
      streams.push(...(await Promise.all(Array.from({ length: 5 }, () => open(t, job, user(nth))))));
    }
    const refused = await get(job, user(40));
    assertProblem(refused, 429, "too_many_streams");
    assert.equal(refused.header("retry-after"), "30");
    for (const lat of [1, 2, 3]) await post(job, { lat, lng: 1 });
    for (const stream of streams) {
      await stream.take(4);
      assert.deepEqual(brief(stream), ["state -", "location.updated 1", "location.updated 2", "location.updated 3"]);
      const told = (of: Stream | undefined) => of?.events.slice(1, 4).map(({ data }) => data);
      assert.deepEqual(told(stream), told(streams[0]));
    }
    const [gone] = streams;
    gone?.close();
    // That a client has gone shows at the next write.
    await until("room for one more", async () => {
      await post(job, FIX);
      const stream = await open(t, job, user(41));
      const { status } = stream;
      stream.close();
      return status === 200;
    });
  });

  test("a long log is told whole, in order", async (t) => {
    const job = newJob();
    const locations = (nth: number) => Array.from({ length: 50 }, (_, at) => ({ lat: nth / 100, lng: at / 100 }));
    for (let nth = 0; nth < 40; nth += 1) await post(job, { locations: locations(nth) });
    const epoch = (await service.state(job)).json.epoch;
    const stream = await open(t, job, driverOf(job), `?after=${epoch}.0`);
    await stream.take(41);
    assert.deepEqual(stream.events.slice(1).map(({ data }) => [data.fromSeq, data.seq]), Array.from({ length: 40 }, (_, nth) => [nth * 50 + 1, nth * 50 + 50]));
  });
});

describe("where the registry alone decides", () => {
  test("a job that is none of theirs takes a place in their limit", async (t) => {
    const service = await Service.start({ JOB_REGISTRY: "required" });
    t.after(() => service.stop());
    const headers = as("customer", [], { sub: "curious" });
    const job = newJob();
    const ask = () => service.send("GET", `/api/jobs/${job}/stream`, { headers });
    assert.deepEqual(bytes(await ask()), bytes(await service.state(job, headers)));
    await until("the limit", async () => (await ask()).status === 429);
    assertProblem(await ask(), 429, "too_many_unknown_jobs");
  });
});

test("a stream on which nothing happens shows that it lives, and costs no row", { timeout: 60_000 }, async (t) => {
  const service = await Counted.start();
  t.after(() => service.stop());
  const job = newJob();
  await service.change("PUT", job, { driver: "driver-1", customers: ["customer-1"] });
  const stream = await Stream.open(service.url, `/api/jobs/${job}/stream`, as("customer", [job], { sub: "customer-1" }));
  t.after(() => stream.close());
  await stream.take(1);
  // What it costs to be registered is written down by then.
  await delay(9_000);
  const before = await service.costs(job);
  await until("two heartbeats", () => stream.comments === 2, 25_000);
  assert.deepEqual(await service.costs(job), before);
  assert.deepEqual(brief(stream), ["state 0.2"]);
  assert.ok(!stream.text.includes("id: \n"), "no id without data");
  await service.post(job, FIX);
  await stream.take(2);
  stream.close();
});

test("who takes nothing is dropped, and holds nobody up", { timeout: 150_000 }, async (t) => {
  const service = await Counted.start({ JOB_FIX_RATE: "100000", JOB_FIX_BURST: "100000", JOB_UNSENT_MAX: "1000000" });
  t.after(() => service.stop());
  const job = newJob();
  const locations = Array.from({ length: 100 }, (_, nth) => ({ lat: 40 + nth / 7, lng: 16 + nth / 7 }));
  const post = async () => assert.equal((await service.post(job, { locations })).status, 200);
  // More than the sockets between hold.
  for (let count = 0; count < 2_000; count += 1) await post();
  const open = async (headers: Headers, query = "") => {
    const stream = await Stream.open(service.url, `/api/jobs/${job}/stream${query}`, headers);
    t.after(() => stream.close());
    return stream;
  };
  const live = await open(driverOf(job));
  const [first] = await live.take(1);
  const hanging = await open(as("admin"), `?after=${first?.data.epoch}.0`);
  await hanging.take(1);
  hanging.pause();
  await delay(45_000);
  await post();
  await live.take(2);
  hanging.resume();
  await until("the stream to be cut", () => hanging.ended);
  assert.ok(hanging.events.length < 1_900, `${hanging.events.length} events`);
  // It goes on where it was.
  const next = await open({ ...as("admin"), "last-event-id": hanging.lastId });
  const [, more] = await next.take(2);
  assert.equal(more?.data.fromSeq, hanging.events.findLast(({ name }) => name === "location.updated")?.data.seq + 1);
});
