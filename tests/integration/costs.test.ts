// What a post costs in the runtime itself: rows that its SQLite says were written, and alarms that were set. That is what an object's
// storage is billed by, and what must not grow with the fixes of a post.
//
// A thousand posts a second apart would take a thousand seconds, so the clock is taken over. That measures the same thing: a job knows the
// time by `Date.now` alone, and of what it does, two things depend on the time between posts. One is the alarm, which the runtime sets off
// once the clock has come to the time for which it was set, as it would by itself. The other is the pause after a publish, which is long
// over within a second. The rows are written, and counted, by the runtime. One fix by itself is also counted by the runtime's own clock.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { assertTaken } from "./support/answers.ts";
import { type Costs, Counted } from "./support/counted.ts";
import { newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const POSTS = 1_000;
const A_SECOND = 1_000;
const AN_HOUR = 3_600_000;
const RETENTION = 30 * 24 * AN_HOUR;

/** What is run once in a job's life, before its first row: it makes the tables, and the one row of the job and of its first life. */
const BIRTH = /^(CREATE TABLE|INSERT INTO (meta|lives)) /;

/** A job in a service of its own, whose clock no other test puts on. */
async function start(t: TestContext) {
  const [service, job] = [await Counted.start(), newJob()];
  t.after(() => service.stop());
  return {
    post: async (fixes: number) => {
      const locations = Array.from({ length: fixes }, (_, n) => ({ lat: 48 + n / 1_000, lng: 16 }));
      const results = assertTaken(await service.post(job, { locations }), job);
      assert.deepEqual(results.map(({ status }) => status), locations.map(() => "accepted"));
    },
    until: (at: number) => service.until(job, at),
    costs: () => service.costs(job),
    sent: () => service.sent(job),
  };
}

/** Rows and alarms between two counts: their sum, and all of it in words. */
function spent(before: Costs, { rows, alarms }: Costs) {
  const entries = Object.entries(rows).map(([statement, rows]) => [statement, rows - (before.rows[statement] ?? 0)] as const);
  const written = entries.filter(([statement, rows]) => rows > 0 && !BIRTH.test(statement));
  const set = alarms - before.alarms;
  const says = [...written.map(([statement, rows]) => `${rows} by ${statement.split(" (")[0]}`), `${set} alarms`].join(", ");
  return { sum: written.reduce((sum, [, rows]) => sum + rows, set), says };
}

/** Nothing waits but the end of the trail's time. */
const isQuiet = ({ due }: Costs) => due !== null && due > Date.now() + AN_HOUR;

const NOTHING: Costs = { rows: {}, alarms: 0, due: null };

test("a token costs the storage of its jobs nothing, whether or not they have any", async (t) => {
  const service = await Counted.start();
  t.after(() => service.stop());
  const jobs = Array.from({ length: 5 }, newJob);
  const [old = ""] = jobs;
  assertTaken(await service.post(old, { lat: 48, lng: 16 }), old);
  await until("the alarm to go off", async () => isQuiet(await service.costs(old)));
  const before = await Promise.all(jobs.map((job) => service.costs(job)));
  for (let count = 0; count < 3; count += 1) assert.equal((await service.token(jobs)).status, 200);
  for (const [index, job] of jobs.entries()) {
    const { sum, says } = spent(before[index] ?? NOTHING, await service.costs(job));
    assert.equal(sum, 0, says);
  }
});

test("what a job's registration, a change and its close cost, and that lists know and users are told", async (t) => {
  // Of a driver who is not heard of more is written, a minute later.
  const service = await Counted.start({ SILENT_AFTER_SECONDS: "0" });
  t.after(() => service.stop());
  const job = newJob();
  const [lists, users] = [["open", "user:d", "user:c", "user:e"], ["d", "c", "e"]];
  const all = async () => [await service.costs(job), ...(await Promise.all(lists.map((name) => service.list(name))))];
  const inboxes = () => Promise.all(users.map((user) => service.inbox(user)));
  const steps = [
    { name: "PUT with a driver and a customer", told: 3, listed: 3, notified: 2, send: () => service.change("PUT", job, { driver: "d", customers: ["c"] }) },
    { name: "one customer more", told: 2, listed: 2, notified: 1, send: () => service.change("PUT", `${job}/customers/e`, {}) },
    { name: "an event of the platform's", told: 0, listed: 0, notified: 0, send: () => service.change("POST", `${job}/events`, { id: "e", type: "t", version: 1 }) },
    // Each of the lists sets an alarm, by which the job's name goes. What is revoked this Ably never confirms, so the job is not quiet.
    { name: "close", told: 4, listed: 8, notified: 3, send: () => service.change("POST", `${job}/close`, { reason: "done" }) },
  ];
  const ended = ({ rows }: Costs) => Object.entries(rows).find(([statement]) => statement.startsWith("DELETE FROM tasks "))?.[1] ?? 0;
  let [before, unnotified] = [await all(), await inboxes()];
  for (const { name, told, listed, notified, send } of steps) {
    assert.ok((await send()).status < 300, name);
    const changes = ({ rows }: Costs) => Object.entries(rows).find(([statement]) => statement.startsWith("INSERT INTO jobs "))?.[1] ?? 0;
    const sum = (costs: Costs[]) => costs.slice(1).reduce((sum, one) => sum + changes(one), 0);
    await until(`${name}: lists to know`, async () => sum(await all()) === sum(before) + told);
    await until(`${name}: that to be written down`, async () => {
      const costs = await service.costs(job);
      // At the end that of the lists goes, too.
      return isQuiet(costs) || ended(costs) === ended(before[0] ?? NOTHING) + 2;
    });
    const confirmed = ({ rows }: Costs) => Object.entries(rows).find(([statement]) => statement.startsWith("UPDATE notifications "))?.[1] ?? 0;
    const total = (costs: Costs[]) => costs.reduce((sum, one) => sum + confirmed(one), 0);
    await until(`${name}: users to be told`, async () => total(await inboxes()) === total(unnotified) + notified);
    const known = await inboxes();
    const rows = known.map((one, index) => spent(unnotified[index] ?? NOTHING, one));
    t.diagnostic(`${name}: the inboxes: ${rows.map(({ says }) => says).join("; ")}`);
    // A row and its index, and that it has arrived; and two alarms each, of which the one for the end of its day comes later.
    const alarms = (costs: Costs[]) => costs.reduce((sum, one) => sum + one.alarms, 0);
    assert.equal(rows.reduce((sum, one) => sum + one.sum, 0) - alarms(known) + alarms(unnotified), 3 * notified, name);
    unnotified = known;
    const costs = await all();
    const [own, ...others] = costs.map((one, index) => spent(before[index] ?? NOTHING, one));
    t.diagnostic(`${name}: the job ${own?.sum}: ${own?.says}; the lists ${others.reduce((sum, one) => sum + one.sum, 0)}`);
    assert.equal(others.reduce((sum, one) => sum + one.sum, 0), listed, name);
    before = costs;
  }
});

describe("what a post costs", { concurrency: true, timeout: 120_000 }, () => {
  test("a fix by itself: its row, the alarm, that it has arrived, and the alarm for the end of its trail's time", async (t) => {
    const job = await start(t);
    await job.post(1);
    await until("the alarm to go off", async () => isQuiet(await job.costs()));
    const first = await job.costs();
    // The job's second fix, by our clock, an hour later.
    const now = Date.now() + AN_HOUR;
    await job.until(now);
    await job.post(1);
    await job.until(now + AN_HOUR);
    const second = await job.costs();
    for (const [before, costs] of [[NOTHING, first], [first, second]] as const) {
      const { sum, says } = spent(before, costs);
      t.diagnostic(says);
      assert.equal(sum, 4, says);
    }
    assert.equal(await job.sent(), 2);
    assert.equal(second.due, now + RETENTION, "a job that nobody posts to costs nothing until its trail has had its time");
    // Then all of it goes, by that alarm, and how far it had come with it.
    await job.until(now + RETENTION);
    assert.equal(await job.sent(), 0);
  });

  for (const fixes of [1, 10]) {
    test(`${POSTS} posts of ${fixes}, a second apart`, async (t) => {
      const job = await start(t);
      let now = Date.now();
      await job.until(now);
      await job.post(fixes);
      const before = await job.costs();
      for (let count = 0; count < POSTS; count += 1) {
        await job.until((now += A_SECOND));
        await job.post(fixes);
      }
      const { sum, says } = spent(before, await job.costs());
      t.diagnostic(says);
      assert.ok(sum >= POSTS, `nothing is counted: ${says}`);
      assert.ok(sum <= 1.2 * POSTS, says);
    });
  }
});
