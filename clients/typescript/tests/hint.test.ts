// What a developer's console is told of a set-up that is not right yet.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createTowline } from "../src/client/index.ts";
import type { LoadAbly } from "../src/client/types.ts";
import { listJobs } from "../src/live/jobs.ts";
import { watchJob } from "../src/watch.ts";
import { again, FakeCore } from "./support/fake-core.ts";
import { onTab, playedClock, settled, shownPage } from "./support/platform.ts";

await Promise.all([import("../src/live/index.ts"), import("../src/client/ably/channels.ts")]);

/** What is said in a page of this host, in which nothing was said before. */
async function page(t: TestContext, hostname: string) {
  const said: string[] = [];
  t.mock.method(console, "warn", (text: string) => said.push(text));
  Object.assign(globalThis, { location: { hostname } });
  t.after(() => Reflect.deleteProperty(globalThis, "location"));
  return said;
}

/** A client of a tab whose service answers so, and whose connections to Ably go as the test says. */
async function watching(answer: () => Response) {
  const clock = playedClock();
  const connections: { state: string; change(current: string): void }[] = [];
  class Realtime {
    connection = {
      state: "connecting",
      change: (_: string) => {},
      on(hear: (change: { current: string }) => void) {
        this.change = (current) => {
          this.state = current;
          hear({ current });
        };
        connections.push(this);
      },
    };
    close() {}
  }
  const eventSource = () => ({ readyState: 0, addEventListener() {}, close() {} });
  const on = onTab({ page: shownPage().page, clock, fetch: async () => answer(), eventSource });
  const towline = createTowline({ url: "", cookies: true, user: "ann", ably: (async () => ({ Realtime })) as unknown as LoadAbly }, on);
  watchJob(towline, "job-1").subscribe(() => {});
  await settled();
  await clock.play(100);
  return { clock, connections, stop: () => towline.close() };
}

const state = () => Response.json({ jobId: "job-1", epoch: 5, seq: 3, fromSeq: 3, lat: 1, lng: 2, ts: 99, capturedAt: 99, now: 100, ageMs: 1 });
const html = (status: number) => () => new Response("<!doctype html>", { status, headers: { "content-type": "text/html" } });

test("nowhere but on a developer's own machine", async (t) => {
  const said = await page(t, "app.example.com");
  const { clock, connections, stop } = await watching(html(404));
  connections[0]?.change("failed");
  await clock.play(20_000);
  stop();
  assert.deepEqual(said, []);
});

test("what Towline itself answers is nothing to say, whatever it is", async (t) => {
  const said = await page(t, "localhost");
  for (const [status, type] of [[503, "unavailable"], [401, "session_missing"], [429, "too_fast"]] as const) {
    const { clock, stop } = await watching(() => Response.json({ type: `urn:towline:problem:${type}`, status }, { status }));
    await clock.play(3_000);
    stop();
  }
  assert.deepEqual(said, []);
});

test("a page's server that answers in Towline's place, and an Ably that is another: once each", async (t) => {
  const said = await page(t, "localhost");
  const core = new FakeCore();
  core.answer = () => again(404);
  const { close } = listJobs(core, undefined, () => {});
  await settled();
  close();
  const { clock, connections, stop } = await watching(html(200));
  await clock.play(3_000);
  assert.equal(said.length, 1, said.join("\n"));
  assert.match(said[0] ?? "", /not Towline: .*rewrite or proxy.*docs\/first-hour\.md$/);
  stop();
  const other = await watching(state);
  other.connections[0]?.change("failed");
  await other.clock.play(20_000);
  other.stop();
  assert.equal(said.length, 2, said.join("\n"));
  assert.match(said[1] ?? "", /Ably is not reached, or takes no token.*ablyOptions/);
  assert.ok(connections.length > 0);
});
