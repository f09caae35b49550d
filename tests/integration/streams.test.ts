// A job's events as they come, by server-sent events: order, ids, going on after a cut, and every way in which a stream ends.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { TestContext } from "node:test";
import { assertTaken } from "./support/answers.ts";
import type { Headers } from "./support/http.ts";
import { as, driverOf, newJob, Service } from "./support/service.ts";
import { Stream } from "./support/stream.ts";

describe("streams", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ TOKEN_REQUESTS: "off", CORS_ORIGINS: "https://a.example" });
  });
  after(() => service.stop());

  const open = async (t: TestContext, job: string, headers: Headers, query = "") => {
    const stream = await Stream.open(service.url, `/api/jobs/${job}/stream${query}`, headers);
    t.after(() => stream.close());
    return stream;
  };
  const post = async (job: string, body: object) => assertTaken(await service.post(job, body), job);

  test("first the state, then each event as it comes", async (t) => {
    const job = newJob();
    const stream = await open(t, job, driverOf(job));
    assert.equal(stream.status, 200);
    assert.equal(stream.headers["content-type"], "text/event-stream");
    assert.equal(stream.headers["cache-control"], "private, no-store, no-transform");
    const [first] = await stream.take(1);
    assert.deepEqual([first?.name, first?.id, first?.data.seq, first?.data.epoch], ["state", undefined, 0, null]);
    assert.equal(first?.data.subHash, createHash("sha256").update("driver-1").digest("hex"));
    await post(job, { lat: 1, lng: 2 });
    await post(job, { locations: [{ lat: 3, lng: 4 }, { lat: 5, lng: 6 }] });
    const [, second, third] = await stream.take(3);
    const { epoch } = second?.data;
    assert.deepEqual([second?.name, second?.id, second?.data.lat], ["location.updated", `${epoch}.1`, 1]);
    assert.deepEqual([third?.name, third?.id, third?.data.fromSeq, third?.data.backfill.length], ["location.updated", `${epoch}.3`, 2, 1]);
    const again = await open(t, job, as("dispatcher"));
    assert.deepEqual((await again.take(1)).map(({ name, id, data }) => [name, id, data.seq, data.lat]), [["state", `${epoch}.3`, 3, 5]]);
  });
});
