// A session ends. One that can be renewed leaves the client waiting, and it goes on by itself afterwards; one that cannot
// ends the client, at once, rather than let it ask for ever.

import assert from "node:assert/strict";
import type { ErrorInfo, Realtime } from "ably";
import { inBothFormats, reaches, statesOf } from "./support/clients.ts";
import { assertGapless, Listener, post } from "./support/driving.ts";
import { Front } from "./support/front.ts";
import { eventually } from "./support/wait.ts";
import { unique, World } from "./support/world.ts";

/** How long after its end a session can be renewed. */
const RENEWAL_SECONDS = 100;
const world = await World.forThisFile({ SESSION_RENEWAL_SECONDS: String(RENEWAL_SECONDS) });

/** Soon enough for a test; the default is 15 s. */
const RETRY = { disconnectedRetryTimeout: 300 };
/** For a client to hear that it is over: far less than it takes until it would ask again by default. */
const PROMPT_MS = 12_000;

function assertEnded(client: Realtime, code: number) {
  const { errorReason, state } = client.connection;
  assert.equal(state, "failed");
  assert.deepEqual([errorReason?.code, errorReason?.statusCode], [80019, 403]);
  assert.deepEqual((errorReason?.cause as ErrorInfo | undefined)?.code, code);
}

inBothFormats(world, "a session that has ended for good fails the client at once", async (_, clients) => {
  for (const way of ["a header", "POST and a cookie"] as const) {
    const session = world.session({ role: "customer", jobs: [unique("job")], seconds: -RENEWAL_SECONDS - 1 });
    const client = clients.realtime(clients.options(session, way));
    const states = statesOf(client);
    await reaches(client, "failed", PROMPT_MS);
    assertEnded(client, 40300);
    assert.ok(!states.includes("disconnected"), states.join());
  }
});

inBothFormats(world, "a session that nobody has signed fails the client at once", async (_, clients) => {
  const session = world.session({ role: "admin" }).replace(/.{5}$/, "AAAAA");
  const client = clients.realtime(clients.options(session));
  await reaches(client, "failed", PROMPT_MS);
  assertEnded(client, 40300);
});

inBothFormats(world, "a client that is connected fails as soon as its token runs out and its session is gone", async (t, clients) => {
  const sub = unique("customer");
  const jobs = [unique("job")];
  const front = await Front.start(t, world, () => world.session({ role: "customer", sub, jobs, seconds: 5 }));
  const client = clients.realtime({ authUrl: front.authUrl });
  await reaches(client, "connected");
  // They sign out, or the platform forgets them: what is left is a session that ended long ago.
  front.session = () => world.session({ role: "customer", sub, jobs, seconds: -RENEWAL_SECONDS - 1 });
  await reaches(client, "failed", 5_000 + PROMPT_MS);
  assertEnded(client, 40300);
  assert.deepEqual(front.statuses, [200, 403], "it asked once, and took the answer");
});

inBothFormats(world, "a session that can be renewed leaves the client waiting until it was", async (t, clients) => {
  const sub = unique("customer");
  const job = unique("job");
  const front = await Front.start(t, world, () => world.session({ role: "customer", sub, jobs: [job], seconds: 5 }));
  const client = clients.realtime({ authUrl: front.authUrl, ...RETRY });
  await reaches(client, "connected");
  const states = statesOf(client);
  const listener = await Listener.on(client, job);
  const driver = world.session({ role: "driver", jobs: [job] });
  const { epoch } = await post(world, driver, job, { lat: 45, lng: 13, capturedAt: Date.now() });
  await listener.hears(1);

  front.session = () => world.session({ role: "customer", sub, jobs: [job], seconds: -1 });
  await eventually("three refusals", () => (front.statuses.filter((status) => status === 401).length >= 3 ? true : undefined));
  assert.notEqual(client.connection.state, "connected");
  await post(world, driver, job, { lat: 45, lng: 14, capturedAt: Date.now() });

  front.session = () => world.session({ role: "customer", sub, jobs: [job] });
  await reaches(client, "connected");
  await listener.hears(2);
  assertGapless(listener.told, { epoch, to: 2 });
  assert.ok(!states.includes("failed"), states.join());
  assert.deepEqual([...new Set(front.statuses)], [200, 401]);
});

inBothFormats(world, "a client without a session waits for one", async (t, clients) => {
  const front = await Front.start(t, world, () => "");
  const client = clients.realtime({ authUrl: front.authUrl, ...RETRY });
  const states = statesOf(client);
  await eventually("two refusals", () => (front.statuses.length >= 2 ? true : undefined));
  front.session = () => world.session({ role: "dispatcher" });
  await reaches(client, "connected");
  assert.ok(states.includes("disconnected") && !states.includes("failed"), states.join());
  assert.deepEqual([...new Set(front.statuses)], [401, 200]);
});
