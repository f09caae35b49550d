// Gates: customers see a job's driver from a time on, or once the vehicle is near, and nothing of before.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem, assertTaken } from "./support/answers.ts";
import type { Answer, Headers } from "./support/http.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const PLACE = { lat: 48, lng: 16 };
/** A fix so many metres north of the place; the eastern digits are found in any text. */
const at = (metres: number, more: object = {}) => ({ lat: 48 + metres / 111_195.08, lng: 16.000_012_3, accuracy: 0, ...more });
const within = (metres: number) => ({ customer: { within: metres } });

describe("gates", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  const send = (method: string, path: string, headers: Headers, body?: unknown) =>
    service.send(method, path, { headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const put = (id: string, more: object) =>
    send("PUT", `/api/jobs/${id}`, as("dispatcher"), { driver: "driver-1", customers: ["customer-1"], place: PLACE, ...more });
  const driver = (id: string) => as("driver", [id], { sub: "driver-1" });
  const customer = (id: string) => as("customer", [id], { sub: "customer-1" });
  const post = async (id: string, body: object) => assertTaken(await service.post(id, body, driver(id)), id);
  const trail = (id: string, query = "", headers = customer(id)) => send("GET", `/api/jobs/${id}/locations${query}`, headers);
  const seqs = (page: Answer) => page.json.locations.map((it: { seq: number }) => it.seq);
  const job = async (more: object) => {
    const id = newJob();
    const answer = await put(id, more);
    assert.equal(answer.status, 201, answer.text);
    return id;
  };
  const channels = (answer: Answer) => {
    assert.equal(answer.status, 200, answer.text);
    const claims = JSON.parse(Buffer.from(answer.text.split(".")[1] ?? "", "base64url").toString());
    return Object.keys(JSON.parse(claims["x-ably-capability"]));
  };
  const token = (headers: Headers, query = "") => send("GET", `/api/ably-token${query}`, headers);

  test("what of a gate is not known is refused, and not ignored", async () => {
    for (const [gate, reason] of [
      [{ customer: { within: 99 } }, "out_of_range"],
      [{ customer: { within: 100_001 } }, "out_of_range"],
      [{ customer: {} }, "required"],
      [{}, "required"],
      [{ driver: { within: 500 } }, "wrong_type"],
      [{ customer: { within: 500 }, dispatcher: { within: 500 } }, "wrong_type"],
      [{ customer: { within: 500, until: 5 } }, "wrong_type"],
      [{ customer: { from: "soon" } }, "not_a_time"],
      [{ customer: { from: Date.now() + 3_600_000 }, }, "out_of_range"],
    ] as const) {
      const problem = assertProblem(await put(newJob(), { gate, endsAt: Date.now() + 1_800_000 }), 400, "invalid_job");
      assert.deepEqual([problem.field, problem.reason], ["gate", reason], JSON.stringify(gate));
    }
    assert.equal(assertProblem(await put(newJob(), { gate: within(500), place: null }), 400, "invalid_job").field, "gate");
    const late = { customer: { from: Date.now() + 73 * 3_600_000 } };
    const problem = assertProblem(await put(newJob(), { gate: late }), 400, "invalid_job");
    assert.deepEqual([problem.field, problem.reason], ["gate", "out_of_range"], "it would have closed by itself");
    assert.equal((await put(newJob(), { gate: null })).json.gate, undefined);
  });

  test("until the vehicle is near a customer is told that, and nothing else, in each format", async () => {
    const id = await job({ gate: within(500) });
    await post(id, at(600));
    const state = (await service.state(id, customer(id))).json;
    assert.ok(Math.abs(state.now - Date.now()) < 30_000);
    const withheld = { jobId: id, withheld: true, gate: "within" };
    assert.deepEqual({ ...state, now: 0 }, { ...withheld, now: 0 });
    const page = await trail(id, "?after=1.1&limit=1");
    assert.deepEqual({ ...page.json, now: 0 }, { ...withheld, now: 0 });
    assert.equal(page.header("link"), undefined);
    const { now: _, ...points } = (await trail(id, "?format=geojson")).json;
    assert.deepEqual(points, { type: "FeatureCollection", features: [], ...withheld });
    const { now: __, ...line } = (await trail(id, "?format=geojson-line")).json;
    const properties = { jobId: id, last: null, coordinateProperties: { times: [] } };
    assert.deepEqual(line, { type: "Feature", geometry: null, properties, ...withheld });
    const gpx = await trail(id, "?format=gpx");
    assert.deepEqual([gpx.status, gpx.text.includes("trkpt")], [200, false]);
    const told = (await send("GET", `/api/jobs/${id}`, customer(id))).json;
    assert.deepEqual(Object.keys(told).sort(), ["customers", "endsAt", "gate", "jobId", "state", "version", "withheld"]);
    const mine = (await send("GET", "/api/jobs?mine", customer(id))).json.jobs.filter((it: any) => it.jobId === id);
    assert.deepEqual(mine, [told]);
    assert.equal((await service.state(id, driver(id))).json.seq, 1, "the driver sees where they are");
    assert.deepEqual(seqs(await trail(id, "", as("service"))), [1]);
  });

  test("it opens to what comes after, over a sleep; what was measured before is staff's alone", async () => {
    const id = await job({ gate: within(500) });
    await post(id, at(600));
    await post(id, at(400));
    const { openedAt } = (await send("GET", `/api/jobs/${id}`, as("admin"))).json.gate.customer;
    assert.ok(openedAt <= Date.now());
    await service.ably.arrived(id, 3);
    await until("the revocation", () => service.ably.revocations("clientId:customer-1").length > 0);
    await post(id, at(5_000));
    assert.equal((await service.state(id, customer(id))).json.seq, 3, "also where the vehicle goes on");
    await post(id, { locations: [at(1, { capturedAt: openedAt - 5 }), at(2, { capturedAt: openedAt - 4 })] });
    await post(id, at(6_000));
    for (const query of ["", "?after=1.1", "?limit=1000"]) assert.deepEqual(seqs(await trail(id, query)), [3, 6], query);
    assert.deepEqual((await trail(id, "?format=geojson")).json.features.length, 2);
    assert.equal((await trail(id, "?format=gpx")).text.split("<trkpt").length - 1, 2);
    assert.deepEqual(seqs(await trail(id, "", as("dispatcher"))), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(seqs(await trail(id, "", driver(id))), [1, 2, 3, 4, 5, 6]);
    // Another driver is another vehicle.
    assert.equal((await put(id, { driver: "driver-2", gate: within(500) })).status, 200);
    assert.equal((await service.state(id, customer(id))).json.withheld, true);
  });

  test("moving the place does not find the driver", async () => {
    const id = await job({ gate: within(500), place: { lat: 10, lng: 10 } });
    await post(id, at(1));
    for (const metres of [100, 500, 100_000]) {
      await put(id, { gate: within(metres) });
      assert.equal((await service.state(id, customer(id))).json.gate, "within", `${metres}`);
    }
    const told = service.ably.publishes(id).map(({ message }) => message.name);
    assert.ok(!told.includes("driver.arrived"));
  });

  test("a time opens by itself, and says when", async () => {
    const from = Date.now() + 1_500;
    const id = await job({ gate: { customer: { from: new Date(from).toISOString() } } });
    await post(id, at(5));
    const { gate, opensAt } = (await service.state(id, customer(id))).json;
    assert.deepEqual([gate, opensAt], ["from", from]);
    const opened = "SELECT 1 FROM registration WHERE json_extract(body, '$.opening.at') IS NOT NULL";
    await until("the alarm", async () => (await service.sql(id, opened)).length > 0);
    assert.deepEqual(seqs(await trail(id)), []);
    await post(id, at(6));
    assert.deepEqual(seqs(await trail(id)), [2]);
    assert.equal((await service.state(id, customer(id))).json.seq, 2);
  });

  test("a customer of a gated job gets no channel, and who has it loses it within a second", async () => {
    const [id, other] = [await job({}), await job({})];
    const both = as("customer", [id, other], { sub: "customer-1" });
    const channel = `dispatch:job:${id}`;
    assert.ok(channels(await token(both)).includes(channel));
    const before = service.ably.revocations("clientId:customer-1").length;
    const asked = performance.now();
    await put(id, { gate: within(500) });
    await until("the revocation", () => service.ably.revocations("clientId:customer-1").length > before);
    assert.ok(performance.now() - asked < 1_000);
    const revocation = service.ably.revocations("clientId:customer-1").at(-1);
    assert.ok(revocation !== undefined && revocation.issuedBefore <= Date.now());
    const again = "SELECT body FROM tasks WHERE kind = 'revoke'";
    assert.match(JSON.stringify(await service.sql(id, again)), /customer-1/, "a TokenRequest may still be exchanged");

    const rest = ["notifications:user:customer-1"];
    assert.deepEqual(channels(await token(both)).sort(), [`dispatch:job:${other}`, ...rest].sort());
    assert.deepEqual(channels(await token(both, `?jobId=${id}`)), rest, "and not refused");
    await post(id, at(5));
    assert.equal((await service.state(id, customer(id))).json.withheld, undefined, "it is open");
    assert.deepEqual(channels(await token(both, `?jobId=${id}`)), rest, "before and after");
    const request = (await token(both, `?jobId=${id}&format=token-request`)).json;
    assert.deepEqual(Object.keys(JSON.parse(request.capability)), rest);
    assert.ok(channels(await token(driver(id))).includes(channel));

    // Without the gate they get the channel like one who comes late, and see on.
    await put(id, {});
    assert.deepEqual(channels(await token(both, `?jobId=${id}`)), rest);
    assert.deepEqual(seqs(await trail(id)), []);
    await post(id, at(6));
    assert.deepEqual(seqs(await trail(id)), [2]);
  });

  test("an arrival is told once, in order with the fixes, without saying where", async () => {
    const id = await job({});
    await post(id, at(150));
    // Else both may leave together.
    await service.ably.reached(id, 1);
    await post(id, at(90));
    const told = await service.ably.arrived(id, 5);
    assert.deepEqual(told.map(({ message }) => message.name), ["job.assigned", "job.updated", "location.updated", "location.updated", "driver.arrived"]);
    assert.deepEqual(Object.keys(told[4]?.event).sort(), ["afterSeq", "epoch", "jobId", "ts", "version"]);
    const arrivedAt = async (path: string) => (await send("GET", `/api/jobs/${id}${path}`, customer(id))).json.arrivedAt;
    const hasArrived = async () => (await Promise.all(["", "/location"].map(arrivedAt))).map((at) => typeof at);
    await service.evict(id);
    assert.deepEqual(await hasArrived(), ["number", "number"]);
    await put(id, { place: { lat: 10, lng: 10 } });
    await post(id, { lat: 10, lng: 10 });
    assert.deepEqual(await hasArrived(), ["undefined", "undefined"], "at a place that is not the job's any more");
    // Whoever wakes may send the last message once more, by whose id Ably knows it.
    const all = new Map((await service.ably.reached(id, 3)).map(({ message }) => [message.id, message.name]));
    assert.deepEqual([...all.values()].slice(5), ["job.updated", "location.updated"]);
  });
});
