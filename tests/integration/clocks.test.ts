// Phones whose clocks are wrong: what is said to them, and what subscribers and the first state show.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertTaken } from "./support/answers.ts";
import { Service, as, newJob } from "./support/service.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

describe("wrong clocks", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  const of = (job: string, sub: string) => as("driver", [job], { sub });
  /** Posts, and gives the results in short: `accepted 1 ahead`. */
  const outcomes = async (job: string, body: unknown, sub = "ann"): Promise<string[]> =>
    assertTaken(await service.post(job, body, of(job, sub)), job).map(({ status, seq, reason, clock }) =>
      [status, seq ?? reason, clock].filter((part) => part !== undefined).join(" "),
    );
  let place = 0;
  /** A place where nobody has been. */
  const fix = (capturedAt: number | string) => ({ lat: (place += 0.001), lng: 16, capturedAt });
  const shown = async (job: string) => {
    const { seq, capturedAt, clock } = (await service.state(job)).json;
    return { seq, capturedAt, clock };
  };

  test("a fix of eight years ahead makes no right one late, and is shown for what it is", async () => {
    const job = newJob();
    assert.deepEqual(await outcomes(job, fix(Date.now() + 8 * YEAR)), ["accepted 1 ahead"]);
    const [publish] = await service.ably.arrived(job, 1);
    const { capturedAt, ts, clock } = publish!.event;
    assert.deepEqual([capturedAt, clock], [ts, "ahead"]);
    const right = Date.now() - 500;
    assert.deepEqual(await outcomes(job, fix(right)), ["accepted 2"]);
    assert.deepEqual(await shown(job), { seq: 2, capturedAt: right, clock: undefined });
  });

  test("phones of one driver and of two, 90 s and 10 s ahead, do not hold each other back", async () => {
    for (const other of ["ann", "bob"]) {
      const job = newJob();
      for (let n = 1; n <= 6; n += 1) {
        assert.deepEqual(await outcomes(job, fix(Date.now() + 90_000)), [`accepted ${2 * n - 1} ahead`]);
        assert.deepEqual(await outcomes(job, fix(Date.now() + 10_000), other), [`accepted ${2 * n}`]);
      }
    }
  });

  for (const [what, said] of [
    ["1,024 weeks back", (at: number) => at - 7168 * DAY],
    ["counted from 2001", (at: number) => at - 978_307_200_000],
    ["seconds from 2001", (at: number) => (at - 978_307_200_000) / 1000],
  ] as const) {
    test(`a time that is ${what} is repaired, and the same again is a duplicate`, async () => {
      const job = newJob();
      const at = Math.floor(Date.now() / 1000) * 1000 - 2000;
      const sent = fix(said(at));
      assert.deepEqual(await outcomes(job, sent), ["accepted 1 repaired"]);
      assert.deepEqual(await shown(job), { seq: 1, capturedAt: at, clock: "repaired" });
      const [publish] = await service.ably.arrived(job, 1);
      assert.deepEqual([publish!.event.capturedAt, publish!.event.clock], [at, "repaired"]);
      assert.deepEqual(await outcomes(job, { locations: [sent, fix(said(at - 1000)), fix(said(at + 1000))] }), ["duplicate 1", "late 2 repaired", "accepted 3 repaired"]);
      assert.deepEqual(await outcomes(job, fix(said(at - 2 * DAY))), ["rejected too_old"]);
    });
  }

  test("a phone an hour slow that says so moves the marker, beside one that is right", async () => {
    const job = newJob();
    assert.deepEqual(await outcomes(job, fix(Date.now() - 3000), "bob"), ["accepted 1"]);
    const phone = Date.now() - HOUR;
    const body = { locations: [fix(new Date(phone - 500).toISOString()), fix(phone - 50_000)], sentAt: new Date(phone).toISOString() };
    assert.deepEqual(await outcomes(job, body), ["accepted 3 repaired", "late 2 repaired"]);
    const { capturedAt } = await shown(job);
    assert.ok(Math.abs(capturedAt - (Date.now() - 500)) < 30_000);
    // By a retry it is known although its `sentAt` is another.
    assert.deepEqual(await outcomes(job, { ...body, sentAt: Date.now() - HOUR }), ["duplicate 3", "duplicate 2"]);
    // The same without `sentAt` is as late as it looks.
    assert.deepEqual(await outcomes(job, fix(Date.now() - HOUR)), ["late 4"]);
  });

  test("the backlog of a phone two hours fast is painted as old as it is", async () => {
    const job = newJob();
    const phone = Date.now() + 2 * HOUR;
    const backlog = [0, 30, 60, 119].map((minutes) => fix(phone - minutes * MINUTE));
    assert.deepEqual(await outcomes(job, { locations: backlog, sentAt: phone }), [4, 3, 2, 1].map((seq) => `accepted ${seq} repaired`));
    const [publish] = await service.ably.arrived(job, 1);
    const { ts, capturedAt, backfill } = publish!.event;
    assert.ok(ts - capturedAt < 30_000);
    assert.deepEqual(backfill.map(([seq, time]: number[]) => [seq, capturedAt - time!]), [[1, 119 * MINUTE], [2, 60 * MINUTE], [3, 30 * MINUTE]]);
    // Without `sentAt`, what of it is ahead keeps its distances.
    const silent = newJob();
    await outcomes(silent, { locations: [0, 30, 60].map((minutes) => fix(phone - minutes * MINUTE)) });
    const [told] = await service.ably.arrived(silent, 1);
    assert.deepEqual(told!.event.backfill.map(([, time]: number[]) => told!.event.ts - time!), [60 * MINUTE, 30 * MINUTE]);
  });

  for (const year of [2569, 2713]) {
    test(`a time in the year ${year} is published as the time of its acceptance`, async () => {
      const job = newJob();
      assert.deepEqual(await outcomes(job, fix(`${year}-01-31T08:00:00Z`)), ["accepted 1 ahead"]);
      const [publish] = await service.ably.arrived(job, 1);
      assert.equal(publish!.event.capturedAt, publish!.event.ts);
    });
  }

  test("an object that was thrown out of memory knows which clocks were ahead, and what moved the marker", async () => {
    const job = newJob();
    const lead = 5 * MINUTE;
    const right = Date.now() - 1000;
    assert.deepEqual(await outcomes(job, fix(right), "bob"), ["accepted 1"]);
    assert.deepEqual(await outcomes(job, fix(Date.now() + lead)), ["accepted 2 ahead"]);
    assert.deepEqual(await outcomes(job, fix(right - 1), "bob"), ["late 3"]);
    await service.evict(job);
    assert.deepEqual(await outcomes(job, fix(right - 1), "bob"), ["late 4"]);
    assert.deepEqual(await outcomes(job, fix(Date.now() + lead - 40_000)), ["late 5 ahead"]);
    assert.deepEqual(await outcomes(job, fix(Date.now()), "bob"), ["accepted 6"]);
  });
});
