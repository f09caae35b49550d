// A stream by way of a real Next.js, whose rewrite compresses what it passes on: each event has to arrive when it happens.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Parts } from "../../scripts/dev/parts.mjs";
import { post } from "../e2e/support/driving.ts";
import { Watcher } from "../e2e/support/watcher.ts";
import { COOKIE, unique, World } from "../e2e/support/world.ts";
import { startNext } from "./next.ts";

const world = await World.forThisFile();
const parts = new Parts();
after(() => parts.stop());
const url = await startNext(parts, world.url);

test("a stream through a Next.js rewrite arrives event by event, by a cookie", async () => {
  const job = unique("job");
  const driver = world.session({ role: "driver", jobs: [job] });
  const cookie = `${COOKIE}=${world.session({ role: "customer", jobs: [job] })}`;
  // What a browser says that it takes: this is when Next.js compresses.
  const headers = { cookie, "accept-encoding": "gzip, deflate, br", accept: "text/event-stream" };
  const watcher = await Watcher.open(`${url}/api/jobs/${job}/stream`, headers);
  try {
    assert.equal(watcher.headers.get("content-encoding"), null);
    assert.match(watcher.headers.get("cache-control") ?? "", /no-transform/);
    await watcher.sees(1);
    assert.equal(watcher.events[0]?.name, "state");
    for (let count = 1; count <= 5; count += 1) {
      await post(world, driver, job, { lat: 48 + count / 100, lng: 16 });
      // Before the next is posted: nothing is held back until there is more.
      await watcher.sees(1 + count);
      const { name, data } = watcher.events[count] ?? {};
      assert.deepEqual([name, data?.seq, data?.lat], ["location.updated", count, 48 + count / 100]);
    }
  } finally {
    watcher.close();
  }
});

test("a stream that is closed is closed behind Next.js too, and another goes on", async () => {
  const job = unique("job");
  const driver = world.session({ role: "driver", jobs: [job] });
  const headers = { cookie: `${COOKIE}=${world.session({ role: "customer", jobs: [job] })}` };
  const first = await Watcher.open(`${url}/api/jobs/${job}/stream`, headers);
  await post(world, driver, job, { lat: 1, lng: 2 });
  await first.sees(2);
  first.close();
  await post(world, driver, job, { lat: 2, lng: 2 });
  const next = await Watcher.open(`${url}/api/jobs/${job}/stream`, { ...headers, "last-event-id": first.lastId });
  try {
    await next.sees(2);
    assert.deepEqual(next.events.map(({ name, data }) => [name, data.seq]), [["state", 2], ["location.updated", 2]]);
  } finally {
    next.close();
  }
});
