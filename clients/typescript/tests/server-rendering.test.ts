// The hooks where there is no browser: what they show, and that they do nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement, type FunctionComponent } from "react";
import { renderToString } from "react-dom/server";
import { createTowline, type Towline } from "../src/index.ts";
import { TowlineProvider, useAge, useBoard, useConnection, useJob, useNotifications, useOnDuty, useTowline, useTrail } from "../src/react/index.ts";
import type { FirstState } from "../src/wire.ts";

const initial: FirstState = { jobId: "job-1", epoch: 5, seq: 3, fromSeq: 3, lat: 48.2, lng: 16.3, ts: 9_000, capturedAt: 9_000, now: 12_000, ageMs: 3_000 };

const Page: FunctionComponent = () => {
  const job = useJob("job-1", { initial });
  const none = useJob(undefined, { initial });
  const other = useJob("job-2", { initial });
  const unknown = useJob("job-1");
  const age = useAge(job);
  const all = { job, none: none.status, other: [other.status, other.position], unknown: unknown.status, age, trail: useTrail("job-1"), board: useBoard(), duty: useOnDuty(), notifications: useNotifications(), connection: useConnection(), towline: typeof useTowline() };
  return createElement("pre", null, JSON.stringify(all));
};

function render(page: Parameters<typeof renderToString>[0]) {
  const text = renderToString(page);
  return JSON.parse(text.replace(/<[^>]*>/g, "").replaceAll("&quot;", '"'));
}

const provided = (towline: Towline | null) => createElement(TowlineProvider, { towline }, createElement(Page));

test("a job shows its initial state, everything else nothing; with a client, without one, without a provider", () => {
  const towline = createTowline({ url: "", cookies: true, user: "ann", ably: () => assert.fail("loaded") });
  const shown = render(provided(towline));
  assert.deepEqual([shown.job.status, shown.job.position, shown.job.ageMs, shown.age], ["live", { epoch: 5, seq: 3, lat: 48.2, lng: 16.3, capturedAt: 9_000 }, 3_000, 3_000]);
  assert.deepEqual([shown.none, shown.other, shown.unknown], ["waiting", ["waiting", null], "waiting"]);
  assert.deepEqual([shown.trail, shown.board, shown.duty, shown.notifications, shown.connection, shown.towline], [
    [], { jobs: [], status: "waiting", views: {} }, [], { items: [], missed: 0 }, { state: "idle" }, "undefined",
  ]);
  assert.deepEqual(render(provided(null)), shown);
  assert.deepEqual(render(createElement(Page)), shown);
});

test("rendered twice it is the same, whatever time it is, as it is when it is hydrated", (t) => {
  const first = render(createElement(Page));
  t.mock.timers.enable({ apis: ["Date"], now: 5 });
  assert.deepEqual(render(provided(createTowline({ url: "", cookies: true, user: "ann" }))), first);
});

test("nothing is begun: no request, no timer, no listener, no channel to other tabs", async (t) => {
  const begun: string[] = [];
  for (const name of ["fetch", "BroadcastChannel", "EventSource", "addEventListener"]) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    const note = () => {
      begun.push(name);
      throw new Error(name);
    };
    Object.defineProperty(globalThis, name, { value: note, configurable: true, writable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete (globalThis as Record<string, unknown>)[name]));
  }
  // React's own are of no length.
  for (const name of ["setTimeout", "setInterval"] as const) {
    const before = globalThis[name];
    t.mock.method(globalThis, name, (call: () => void, ms?: number) => {
      if (ms) begun.push(`${name} ${ms}`);
      return before(call, ms);
    });
  }
  render(provided(createTowline({ url: "", cookies: true, user: "ann", ably: () => assert.fail("loaded") })));
  await new Promise(setImmediate);
  assert.deepEqual(begun, []);
});
