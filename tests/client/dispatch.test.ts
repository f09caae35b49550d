// What a dispatcher's page shows, against the service itself: the board, who is on duty, notifications; and what a driver's page hears.

import assert from "node:assert/strict";
import { test } from "node:test";
import Ably from "ably";
import { goOnDuty, watchBoard, watchNotifications, watchOnDuty } from "../../clients/typescript/src/index.ts";
import { LocalAbly } from "../e2e/support/ably.ts";
import { channelOf, post } from "../e2e/support/driving.ts";
import { eventually } from "../e2e/support/wait.ts";
import { startWorkerd } from "../e2e/support/workerd.ts";
import { unique, World } from "../e2e/support/world.ts";
import { platform, tab, watched } from "./support/pages.ts";

const world = await World.forThisFile({}, () => LocalAbly.start(), startWorkerd);
const { put, close, notify } = platform(world);
const rest = new Ably.Rest({ key: world.ably.key, ...world.ably.address, logLevel: 0 });

const onChannel = async (job: string) => (await rest.channels.get(channelOf(job)).status()).status.occupancy.metrics.connections;
const drives = (job: string, driver: string, ...fixes: object[]) => post(world, world.session({ role: "driver", sub: driver, jobs: [job] }), job, { locations: fixes });

for (const mode of ["ably", "stream"] as const) {
  test(`the board by ${mode}: the open jobs, each in view with its position, until it is closed`, async (t) => {
    const dispatchId = unique("dispatch");
    const jobs = ["a", "b", "c"].map(unique);
    for (const job of jobs) await put(job, { driver: "driver-1", dispatchId });
    await drives(jobs[0]!, "driver-1", { lat: 1, lng: 2 });
    const { towline } = tab(t, world, mode, { role: "dispatcher" });
    const board = watchBoard(towline, { dispatchId });
    assert.deepEqual([board.get().status, board.get().jobs], ["waiting", []]);
    const { shows } = watched(t, board);
    const all = await shows("the jobs", ({ jobs }) => jobs.length === 3);
    assert.deepEqual([all.status, all.jobs.map(({ jobId }) => jobId)], ["ok", jobs.toSorted()]);
    await shows("the first position", ({ views }) => views.get(jobs[0]!)?.position?.lat === 1);
    await shows("that there is none", ({ views }) => views.get(jobs[1]!)?.status === "none");
    await drives(jobs[1]!, "driver-1", { lat: 5, lng: 2 });
    await shows("a fix as it comes", ({ views }) => views.get(jobs[1]!)?.position?.lat === 5);
    if (mode === "ably") await eventually("its channel", async () => ((await onChannel(jobs[2]!)) === 1 ? true : undefined));
    await close(jobs[2]!);
    const less = await shows("two jobs", ({ jobs }) => jobs.length === 2, 15_000);
    assert.equal(less.views.has(jobs[2]!), false);
    if (mode === "ably") await eventually("its channel to be left", async () => ((await onChannel(jobs[2]!)) === 0 ? true : undefined));
  });
}

test("a customer has no board", async (t) => {
  const { towline } = tab(t, world, "ably", { role: "customer", jobs: ["job-1"] });
  const { shows } = watched(t, watchBoard(towline));
  assert.deepEqual((await shows("that it is refused", ({ status }) => status !== "waiting")).status, "refused");
});

test("who is on duty, and for half a minute who was", async (t) => {
  const driver = tab(t, world, "ably", { role: "driver", sub: "driver-7", jobs: ["job-7"] });
  const dispatcher = tab(t, world, "ably", { role: "dispatcher" });
  const { store, shows } = watched(t, watchOnDuty(dispatcher.towline));
  const before = Date.now();
  const off = goOnDuty(driver.towline, { role: "driver", duty: "free" });
  const [one] = await shows("the driver", (people) => people.length === 1);
  assert.deepEqual({ ...one, since: 0 }, { userId: "driver-7", role: "driver", duty: "free", since: 0 });
  assert.ok(one!.since >= before - 60_000 && one!.since <= Date.now() + 60_000);
  off();
  const presence = rest.channels.get("presence:dispatch").presence;
  await eventually("that they have left", async () => ((await presence.get()).items.length === 0 ? true : undefined));
  assert.equal(store.get().length, 1);
  goOnDuty(driver.towline, { role: "driver", duty: "busy" });
  const [again] = await shows("that they are back", ([person]) => person?.duty === "busy");
  assert.equal(again?.since, one?.since);
});

test("notifications, each once; and that some may have been missed", async (t) => {
  const sub = unique("ann");
  const { towline } = tab(t, world, "ably", { role: "customer", sub, jobs: ["job-1"] });
  const { store, shows } = watched(t, watchNotifications(towline));
  await shows("that it listens", ({ missed }) => missed === 1);
  await notify(sub, { id: "quote-7.3", type: "quote.sent", entityId: "quote-7", version: 3 });
  const { items } = await shows("the notification", ({ items }) => items.length === 1);
  assert.deepEqual({ ...items[0], ts: 0 }, { id: "quote-7.3", type: "quote.sent", entityId: "quote-7", version: 3, ts: 0 });
  assert.equal(store.get().missed, 1);
});
