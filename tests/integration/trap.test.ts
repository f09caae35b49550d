// After a trap (a panic, a stack that is full, no more memory) the build's code begins anew, and so does all that was made of it.

import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { assertTaken } from "./support/answers.ts";
import { Client } from "./support/http.ts";
import { driverOf, newJob, Service } from "./support/service.ts";
import { Stream } from "./support/stream.ts";
import { until } from "./support/until.ts";

/**
 * A request with `x-trap` finds that the code has trapped, as the build itself notes it: nothing in it is known to. One with `x-entered` is
 * told how many have come in.
 */
const trapping = (entry: string) => {
  const edited = entry.replace(/(\w+) as default/, "trapping as default");
  assert.notEqual(edited, entry);
  const [, plain] = /(\w+) as default/.exec(entry) ?? [];
  return `${edited}
var entered = 0;
var trapping = {
  fetch(request, env) {
    if (request.headers.has("x-entered")) return new Response(String(entered));
    entered += 1;
    if (request.headers.has("x-trap")) globalThis.__worker_init_state.criticalError = true;
    return ${plain}.fetch(request, env);
  },
};
`;
};

let service: Service;
before(async () => (service = await Service.start({}, undefined, trapping)));
after(() => service.stop());

test("a job goes on where it was, and so does its outbox", async () => {
  const [job, other] = [newJob(), newJob()];
  for (const id of [job, other]) assertTaken(await service.post(id, { lat: 1, lng: 1 }), id);
  for (const id of [job, other]) await service.ably.reached(id, 1);
  const trapped = await service.post(job, { lat: 2, lng: 1 }, { ...driverOf(job), "x-trap": "1" });
  assert.deepEqual(
    assertTaken(trapped, job).map(({ seq }) => seq),
    [2],
  );
  assert.deepEqual(
    assertTaken(await service.post(other, { lat: 2, lng: 1 }), other).map(({ seq }) => seq),
    [2],
    "an object that was not asked meanwhile begins anew too",
  );
  for (const id of [job, other]) await service.ably.reached(id, 2);
  assert.equal((await service.state(job)).json.seq, 2);
  await until("the log to tell", () => service.logs().some(({ text }) => text.includes("Reinitializing")));
});

test("who waits meanwhile gets an error, and harms nobody who comes after", async (t) => {
  const job = newJob();
  const text = '{"lat":1,"lng":1}';
  const counting = new Client(service.url, () => false);
  t.after(() => counting.close());
  const entered = async () => Number((await counting.send("GET", "/", { headers: { "x-entered": "1" } })).text);
  /** Twenty posts that have come in, of whose bodies the half has. */
  const wait = async () => {
    const before = await entered();
    const waiting = Array.from({ length: 20 }, () => {
      const headers = { ...driverOf(job), "content-length": text.length };
      const sent = request(new URL(`/api/jobs/${job}/location`, service.url), { method: "POST", headers });
      sent.write(text.slice(0, 5));
      const answered = new Promise<number | undefined>((resolve) => {
        sent.on("response", (answer) => resolve(answer.resume().statusCode)).on("error", () => resolve(undefined));
      });
      return { sent, answered };
    });
    await until("all to wait", async () => (await entered()) === before + waiting.length);
    return () => {
      for (const { sent } of waiting) sent.end(text.slice(5));
      return Promise.all(waiting.map(({ answered }) => answered));
    };
  };
  const goOn = await wait();
  assertTaken(await service.post(job, { lat: 1, lng: 2 }, { ...driverOf(job), "x-trap": "1" }), job);
  // In the memory of the new instance they are where the others were in that of the old one.
  const goOnToo = await wait();
  assert.deepEqual(await goOn(), Array(20).fill(500));
  assert.deepEqual(await goOnToo(), Array(20).fill(200));
  assert.equal((await service.state(job)).json.seq, 21);
  await service.ably.reached(job, 21);
});

test("who reads then is cut off, and goes on where they were", async (t) => {
  const job = newJob();
  assertTaken(await service.post(job, { lat: 1, lng: 1 }), job);
  const open = async (headers = {}) => {
    const stream = await Stream.open(service.url, `/api/jobs/${job}/stream`, { ...driverOf(job), ...headers });
    t.after(() => stream.close());
    return stream;
  };
  const stream = await open();
  await stream.take(1);
  assertTaken(await service.post(job, { lat: 2, lng: 1 }, { ...driverOf(job), "x-trap": "1" }), job);
  assert.equal(stream.events.length, 1, "what has begun anew does not know of them");
  const next = await open({ "last-event-id": stream.lastId });
  assert.deepEqual((await next.take(2)).map(({ name, data }) => [name, data.seq]), [["state", 2], ["location.updated", 2]]);
  await until("the stream to be cut", () => stream.ended);
  assertTaken(await service.post(job, { lat: 3, lng: 1 }), job);
  assert.equal((await next.take(3))[2]?.data.seq, 3);
});
