// What a job sends keeps to Ably's limits for a channel: 50 messages a second, and 1 MiB. The local Ably refuses what exceeds them, and
// counts what it has refused, which Ably itself does not tell: so `npm run test:e2e` leaves this folder out.

import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { LocalAbly } from "../support/ably.ts";
import { Clients } from "../support/clients.ts";
import { assertGapless, Listener, post } from "../support/driving.ts";
import { Relay } from "../support/relay.ts";
import { startWorkerd } from "../support/workerd.ts";
import { unique, World } from "../support/world.ts";

/** Fixes that come to over 3 MiB, when Ably takes 1 MiB at once. */
const BACKLOG = 60_000;
const POST = 100;

/** So many more posts than Ably takes messages in their time; some gather anyway. And no more posts than so many. */
const SURPLUS = 400;
const POSTS_MAX = 2_000;

/** Each 0.03 m from the one before, in as many digits as a number has: so that they come to many bytes. */
const fix = (n: number) => ({ lat: 48.2082123456789 + n / 3e6, lng: 16.3738123456789 + n / 3e6 });

const ably = await LocalAbly.start("--limits", "free");
/** Between the service and Ably. */
const relay = await Relay.to(ably.port);
after(() => relay.stop());
const world = await World.forThisFile({ ABLY_REST_URL: relay.url, JOB_FIX_BURST: String(2 * BACKLOG) }, async () => ably, startWorkerd);

/** A job's driver, and somebody who listens. */
async function start(t: TestContext) {
  const job = unique("job");
  const driver = world.session({ role: "driver", jobs: [job] });
  const client = await new Clients(world, "MessagePack", t).connected(world.session({ role: "customer", jobs: [job] }));
  const listener = await Listener.on(client, job);
  return { listener, send: (body: object) => post(world, driver, job, body) };
}

/** What Ably has let through and refused since the start, by what it limits. */
async function counts() {
  const limits = await ably.limits();
  return Object.fromEntries(limits.map(({ metric, admitted, refused }) => [metric, { admitted, refused }]));
}

/** That Ably has refused nothing since it had counted so much. Says how many messages and bytes it has taken since. */
async function taken(before: Awaited<ReturnType<typeof counts>>) {
  const now = await counts();
  const since = (metric: string, what: "admitted" | "refused") => (now[metric]?.[what] ?? NaN) - (before[metric]?.[what] ?? NaN);
  const refused = Object.keys(now).map((metric) => [metric, since(metric, "refused")]);
  assert.deepEqual(refused.filter(([, count]) => count !== 0), []);
  assert.deepEqual(world.log.filter((line) => line.includes('"throttled"')), []);
  return { messages: since("channel.maxRate", "admitted"), bytes: since("channel.bandwidth", "admitted") };
}

/** How long the messages took to come, by when each was published. */
function seconds({ messages }: Listener) {
  return ((messages.at(-1)?.timestamp ?? 0) - (messages[0]?.timestamp ?? 0)) / 1_000;
}

test("a backlog of megabytes drains in order, and Ably refuses none of it", { timeout: 240_000 }, async (t) => {
  t.after(() => relay.open());
  const { listener, send } = await start(t);
  const before = await counts();
  relay.cut();
  let epoch = 0;
  const begin = Date.now() - BACKLOG;
  for (let n = 0; n < BACKLOG; n += POST) {
    const locations = Array.from({ length: POST }, (_, index) => ({ ...fix(n + index), capturedAt: begin + n + index }));
    const answer = await send({ locations });
    assert.deepEqual(answer.results, locations.map((_, index) => ({ status: "accepted", seq: n + index + 1 })));
    epoch = answer.epoch;
  }
  assert.ok(relay.broken > 0, "the service has tried");
  assert.equal(listener.messages.length, 0);

  relay.open();
  await listener.hears(BACKLOG);
  const { messages, bytes } = await taken(before);
  t.diagnostic(`${messages} messages, ${bytes} bytes in ${seconds(listener)} s`);
  assertGapless(listener.told, { epoch, to: BACKLOG });
  assert.deepEqual(listener.told.map(({ lat, lng }) => ({ lat, lng })), Array.from({ length: BACKLOG }, (_, n) => fix(n)));
  assert.equal(messages, listener.messages.length, "Ably was sent each message once");
  assert.ok(bytes > 3 * 1024 * 1024, "that would not do as fast as it goes");
});

test("posts that come faster than Ably takes messages arrive all the same, and Ably refuses none of them", { timeout: 240_000 }, async (t) => {
  const { listener, send } = await start(t);
  const before = await counts();
  const { epoch } = await send(fix(0));
  await listener.hears(1);
  const begun = performance.now();
  /** As many messages as Ably takes at once, and in the time since. */
  const bearable = () => 50 + 50 * ((performance.now() - begun) / 1_000);
  let posts = 1;
  // One after the other: of posts that come at once most gather, however fast messages leave.
  while (posts < bearable() + SURPLUS && posts < POSTS_MAX) await send(fix(posts++));
  if (posts >= POSTS_MAX) t.diagnostic("posts come no faster here than Ably takes messages, so nothing had to be held back");

  await listener.hears(posts);
  const { messages } = await taken(before);
  t.diagnostic(`${posts} posts, ${messages} messages in ${seconds(listener)} s`);
  assertGapless(listener.told, { epoch, to: posts });
  assert.equal(messages, listener.messages.length, "Ably was sent each message once");
});
