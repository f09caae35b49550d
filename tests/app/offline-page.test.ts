// The service worker of the driver's page, on a network that a test plays: when it is told that there is none.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { runInNewContext } from "node:vm";

const SCRIPT = readFileSync(new URL("../../examples/nextjs/public/sw.js", import.meta.url), "utf8");
const ORIGIN = "https://app.example";
/** What is kept for a driver without a network. */
const KEPT = new Response("kept");

type Network = (signal: AbortSignal) => Promise<Response>;

/** What the worker answers to somebody who opens the driver's page. */
function open(network: Network): Promise<Response> {
  const listeners = new Map<string, (event: object) => void>();
  const cache = { keys: async () => [], addAll: async () => {}, put: async () => {} };
  runInNewContext(SCRIPT, {
    self: { addEventListener: (name: string, listener: (event: object) => void) => listeners.set(name, listener) },
    location: { origin: ORIGIN },
    caches: { match: async () => KEPT, open: async () => cache },
    fetch: (_: unknown, { signal }: { signal?: AbortSignal }) => (signal ? network(signal) : Promise.resolve(new Response("offline"))),
    setTimeout, clearTimeout, AbortController, Response, URL, Set, Error,
  });
  return new Promise((respondWith) => {
    const request = { url: `${ORIGIN}/drive`, method: "GET", mode: "navigate" };
    listeners.get("fetch")?.({ request, respondWith, waitUntil: () => {} });
  });
}

/** Answers after so long, unless whoever asks has given up. */
const after = (ms: number, answer: Response): Network => (signal) =>
  new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    setTimeout(() => resolve(answer), ms);
  });

test("a network that answers late is none, and one that has begun to answer may take its time", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let given: AbortSignal | undefined;
  const page = new Response("page");
  const slow = open((signal) => after(7_999, page)((given = signal)));
  mock.timers.tick(7_999);
  assert.equal(await slow, page);
  mock.timers.tick(600_000);
  assert.equal(given?.aborted, false, "its body still comes");

  const none = open(after(8_001, page));
  mock.timers.tick(8_000);
  assert.equal(await none, KEPT);
});

test("what stands between says that the site cannot be reached", async () => {
  for (const status of [502, 503, 504]) assert.equal(await open(async () => new Response("", { status })), KEPT);
  for (const status of [200, 401, 404]) {
    const answer = new Response("", { status });
    assert.equal(await open(async () => answer), answer, "the site's own word");
  }
  assert.equal(await open(() => Promise.reject(new TypeError("no network"))), KEPT);
});
