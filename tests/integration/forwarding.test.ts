// What reaches Ably, and in which order; and that no driver waits for it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertTaken } from "./support/answers.ts";
import { hangs, held, refused, stored } from "./support/fake-ably.ts";
import { ABLY_KEY, Service, driverOf, newJob } from "./support/service.ts";

const PUBLISH_KEY = "AbCdEf.publish:another-ably-secret-of-the-tests";

describe("forwarding to Ably itself, by a key of its own", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ ABLY_REST_URL: undefined, ABLY_PUBLISH_KEY: PUBLISH_KEY });
  });
  after(() => service.stop());

  test("the request is the one that Ably's REST API takes, and carries nothing of the driver's", async () => {
    const job = "A.b_c-9";
    const headers = { ...driverOf(job), cookie: "session=zq7Xodd", "user-agent": "zq7Xodd", "x-zq7xodd": "1", "x-ably-version": "1", forwarded: "for=zq7Xodd" };
    const answer = await service.post(job, { lat: 48.5, lng: -11.25, speed: 3.5, id: "zq7Xodd" }, headers);
    const { epoch } = answer.json;
    const [publish] = await service.ably.arrived(job, 1);
    assert.equal(publish!.method, "POST");
    assert.equal(publish!.url, `https://main.realtime.ably.net/channels/dispatch%3Ajob%3A${job}/messages`);
    // The runtime adds its own: `host`, `content-length`, and which Worker it was.
    const { host, "content-length": _, "cf-worker": __, "cf-connecting-ip": ___, ...sent } = Object.fromEntries(publish!.headers);
    assert.equal(host, "main.realtime.ably.net");
    assert.deepEqual(sent, {
      accept: "application/json",
      authorization: `Basic ${Buffer.from(PUBLISH_KEY).toString("base64")}`,
      "content-type": "application/json",
      "x-ably-version": "6",
    });
    assert.deepEqual(Object.keys(publish!.message).sort(), ["data", "encoding", "id", "name"]);
    assert.equal(publish!.message.id, `${job}/${epoch}.1`);
    assert.equal(publish!.message.name, "location.updated");
    assert.equal(publish!.message.encoding, "json");
    const { ts, capturedAt, ...event } = publish!.event;
    assert.deepEqual(event, { jobId: job, epoch, seq: 1, fromSeq: 1, lat: 48.5, lng: -11.25, speed: 3.5 });
    assert.equal(capturedAt, ts);
    assert.ok(!publish!.body.includes("zq7Xodd"));
    assert.ok(!JSON.stringify([...publish!.headers]).includes(driverOf(job).authorization as string));
  });

  test("tokens are signed by the other key", async () => {
    const token = await service.send("GET", "/api/ably-token", { headers: driverOf("a") });
    const header = JSON.parse(Buffer.from(token.text.split(".")[0] ?? "", "base64url").toString());
    assert.equal(header.kid, ABLY_KEY.split(":")[0]);
  });

  test("where Ably's own host is down, a fallback gets the same bytes at once", async () => {
    const job = newJob();
    service.ably.plan(job, refused(500, 50000));
    await service.post(job, { lat: 1, lng: 2 });
    const [first, second] = await service.ably.arrived(job, 2);
    assert.match(second!.url, /^https:\/\/main\.[a-e]\.fallback\.ably-realtime\.com\/channels\/dispatch%3Ajob%3A/);
    assert.equal(new URL(second!.url).hostname, second!.headers.get("host"));
    assert.equal(second!.body, first!.body);
  });
});

describe("forwarding", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  test("without a key of its own, publishing uses the one that signs tokens", async () => {
    const job = newJob();
    await service.post(job, { lat: 1, lng: 2 });
    const [publish] = await service.ably.arrived(job, 1);
    assert.equal(publish!.headers.get("authorization"), `Basic ${Buffer.from(ABLY_KEY).toString("base64")}`);
  });

  test("no answer waits for Ably: while it hangs, posts are taken and the state moves on", async () => {
    const job = newJob();
    service.ably.plan(job, hangs);
    for (const seq of [1, 2, 3]) {
      assert.equal(assertTaken(await service.post(job, { lat: seq, lng: 2 }), job)[0].seq, seq);
      assert.equal((await service.state(job)).json.lat, seq);
    }
    // All this while the first publish was under way, and the others behind it.
    assert.equal((await service.ably.arrived(job, 1)).length, 1);
  });

  test("one publish of a job is under way at a time; what comes meanwhile leaves as one when it is stored", async () => {
    const job = newJob();
    const [first, second] = [held(), held()];
    service.ably.plan(job, first.behaviour, second.behaviour);
    await Promise.all([1, 2, 3, 4].map((n) => service.post(job, { lat: n, lng: 2 })));
    await service.ably.arrived(job, 1);
    assert.equal(service.ably.publishes(job).length, 1);
    first.release();
    await service.ably.arrived(job, 2);
    await service.post(job, { lat: 5, lng: 2 });
    assert.equal(service.ably.publishes(job).length, 2);
    second.release();
    const all = await service.ably.arrived(job, 3);
    assert.deepEqual(all.map(({ event }) => [event.fromSeq, event.seq]), [[1, 1], [2, 4], [5, 5]]);
    assert.deepEqual(all[1]!.event.backfill.map(([seq]: number[]) => seq), [2, 3]);
    assert.equal(service.ably.mostInFlight(job), 1);
  });

  test("a job whose publishes hang holds up no other job", async () => {
    const [stuck, other] = [newJob(), newJob()];
    service.ably.plan(stuck, hangs);
    await service.post(stuck, { lat: 1, lng: 2 });
    await service.ably.arrived(stuck, 1);
    for (const n of [1, 2, 3]) await service.post(other, { lat: n, lng: 2 });
    await service.ably.reached(other, 3);
    assert.equal(service.ably.publishes(stuck).length, 1);
  });

  test("one message carries one post: its fixes in order, the newest live one in full", async () => {
    const job = newJob();
    const now = Date.now();
    const fix = (ago: number, more = {}) => ({ lat: ago / 10, lng: 1, capturedAt: now - ago, ...more });
    await service.post(job, { locations: [fix(10, { speed: 9, accuracy: 5 }), fix(30), fix(20), { lat: 99, lng: 0 }] });
    const [publish] = await service.ably.arrived(job, 1);
    const { ts, epoch, ...event } = publish!.event;
    assert.deepEqual(event, {
      jobId: job, seq: 3, fromSeq: 1, lat: 1, lng: 1, speed: 9, accuracy: 5, capturedAt: now - 10,
      backfill: [[1, now - 30, 3, 1], [2, now - 20, 2, 1]],
    });
    assert.equal(publish!.message.id, `${job}/${epoch}.3`);
  });

  test("what is a duplicate or rejected is published by nobody", async () => {
    const job = newJob();
    const fix = { lat: 1, lng: 1, id: "a" };
    await service.post(job, fix);
    await service.post(job, { locations: [fix, { lat: 99, lng: 0 }, { ...fix, lat: 2 }] });
    await service.post(job, { lat: 2, lng: 1 });
    const all = await service.ably.arrived(job, 2);
    assert.deepEqual(all.map(({ event }) => [event.fromSeq, event.seq]), [[1, 1], [2, 2]]);
    assert.equal(service.ably.publishes(job).length, 2);
  });

  test("a subscriber who guards by (epoch, seq) sees every fix of a long drive", async () => {
    const job = newJob();
    for (let n = 1; n <= 30; n += 1) await service.post(job, { lat: n, lng: 1 });
    await service.ably.reached(job, 30);
    let last = 0;
    for (const { event } of service.ably.publishes(job)) {
      assert.equal(event.fromSeq, last + 1);
      last = event.seq;
    }
    assert.equal(last, 30);
  });

  test("no more than 40 publishes a second leave for one channel", async () => {
    const job = newJob();
    // As fast as one caller can, for a second.
    for (const start = performance.now(); performance.now() - start < 1_000; ) await service.post(job, { lat: 1, lng: 1 });
    const { seq } = assertTaken(await service.post(job, { lat: 1, lng: 1 }), job)[0];
    const all = await service.ably.reached(job, seq);
    // Timers of two processes are compared, each a few milliseconds coarse.
    assert.ok(all.at(-1)!.at - all[0]!.at >= (all.length - 1) * 25 * 0.9, `${all.length}`);
  });

  test("what Ably has stored is not sent again", async () => {
    const job = newJob();
    const empty = () => new Response(null, { status: 204 });
    const noJson = () => new Response("not JSON", { status: 201 });
    service.ably.plan(job, stored, empty, noJson, () => Response.json([], { status: 200 }));
    for (let n = 1; n <= 5; n += 1) {
      await service.post(job, { lat: n, lng: 1 });
      await service.ably.reached(job, n);
    }
    assert.deepEqual(service.ably.publishes(job).map(({ event }) => event.seq), [1, 2, 3, 4, 5]);
  });
});
