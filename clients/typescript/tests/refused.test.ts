// A connection that Ably, or the token route, has refused: what needs no Ably goes on, and Ably is asked again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createTowline } from "../src/client/index.ts";
import type { LoadAbly } from "../src/client/types.ts";
import { createDriver } from "../src/driver/index.ts";
import { watchJob } from "../src/watch.ts";
import { onTab, playedClock, settled, shownPage } from "./support/platform.ts";

// Loaded when it is needed; loading takes turns that no test can count.
await Promise.all([import("../src/live/index.ts"), import("../src/client/ably/channels.ts")]);

/** A tab whose connections to Ably go as the test says. */
function tab() {
  const clock = playedClock();
  const shown = shownPage();
  const connections: ((current: string) => void)[] = [];
  const asked: string[] = [];
  class Realtime {
    connection = { state: "connecting", on: (hear: (change: { current: string }) => void) => void connections.push((current) => hear({ current })) };
    close() {}
  }
  const on = onTab({
    page: shown.page,
    clock,
    fetch: async (url) => {
      asked.push(String(url));
      const jobId = /jobs\/([^/]+)/.exec(String(url))?.[1];
      return Response.json({ jobId, epoch: 5, seq: 3, fromSeq: 3, lat: 1, lng: 2, ts: 99, capturedAt: 99, now: 100, ageMs: 1 });
    },
    eventSource: () => ({ readyState: 0, addEventListener() {}, close() {} }),
  });
  const towline = createTowline({ url: "", cookies: true, user: "ann", ably: (async () => ({ Realtime })) as unknown as LoadAbly }, on);
  return { towline, clock, shown, connections, asked };
}

async function refused() {
  const all = tab();
  const { towline, clock, connections } = all;
  const one = watchJob(towline, "job-1");
  one.subscribe(() => {});
  await settled();
  await clock.play(100);
  assert.equal(connections.length, 1);
  connections[0]!("disconnected");
  connections[0]!("failed");
  await clock.play(2_000);
  return { ...all, one };
}

test("it is the connection's end and not the client's: jobs are shown, also those that come after", async () => {
  const { towline, clock, one } = await refused();
  assert.deepEqual([towline.connection.get(), towline.isStopped()], [{ state: "offline", reason: "refused" }, false]);
  const two = watchJob(towline, "job-2");
  two.subscribe(() => {});
  await clock.play(2_000);
  assert.deepEqual([one.get().position?.seq, two.get().position?.seq], [3, 3]);
  assert.notEqual(two.get().status, "offline");
  towline.close();
  assert.ok(towline.isStopped());
});

test("a driver shares", async () => {
  const { towline, clock } = await refused();
  const driver = createDriver(towline, { geolocation: null, permissions: null, channel: null });
  driver.start("job-1");
  await clock.play(100);
  assert.equal(driver.state.get().sharing, true);
  towline.close();
  assert.equal(driver.state.get().sharing, false);
});

test("it is tried again after two minutes, when the page is refreshed; not before", async () => {
  const { towline, clock, shown, connections } = await refused();
  await clock.play(110_000);
  assert.equal(connections.length, 1);
  await clock.play(10_000);
  assert.equal(connections.length, 2);
  connections[1]!("failed");
  await clock.play(1_000);
  shown.fire("online");
  await clock.play(1_000);
  assert.equal(connections.length, 3);
  connections[2]!("connected");
  assert.deepEqual(towline.connection.get(), { state: "connected" });
  towline.close();
});
