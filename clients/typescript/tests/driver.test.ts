// What a driver's page sends, one thing at a time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStorage } from "../src/driver/storage.ts";
import { moody, names, page } from "./support/driver-page.ts";
import { entry, position } from "./support/driver-world.ts";

test("what is driven is in the trail, once and in order", async () => {
  const { driver, drive, service, state, count } = page();
  driver.start("job-1");
  await drive(20);
  assert.equal(count(), 20);
  const times = service.trail.get("job-1")!.map(({ capturedAt }) => capturedAt);
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
  const { waiting, sending, durable, sender, sharing, job, oldestAt } = state();
  assert.deepEqual({ waiting, sending, durable, sender, sharing, job, oldestAt }, { waiting: 0, sending: "idle", durable: true, sender: "this_tab", sharing: true, job: "job-1", oldestAt: undefined });
  assert.deepEqual([state().lastFixAt! > 0, state().lastSentAt! >= state().lastFixAt!], [true, true]);
});

test("ten minutes without a network", async () => {
  const { driver, drive, service, time, count, state } = page();
  driver.start("job-1");
  moody(service, { is: "lost" });
  const began = time.now + time.offset;
  await drive(600);
  assert.deepEqual([state().waiting, state().sending, state().oldestAt], [600, "backoff", began]);
  moody(service, { is: "fine" });
  await time.pass(61_000);
  assert.equal(count(), 600);
  assert.deepEqual([state().waiting, state().oldestAt], [0, undefined]);
  assert.ok(service.seen.every(({ ids, keepalive }) => ids.length <= 100 && keepalive));
});

test("answers that are lost double nothing, and each try says anew when it is sent", async () => {
  const { driver, take, service, time, count, state } = page();
  driver.start("job-1");
  moody(service, { is: "answer_lost" });
  take();
  await time.pass(10_000);
  moody(service, { is: "fine" });
  await time.pass(60_000);
  assert.equal(count(), 1);
  assert.equal(state().waiting, 0);
  assert.ok(service.seen.length >= 3);
  for (const { ids, sentAt, at } of service.seen) {
    assert.deepEqual(ids, service.seen[0]!.ids);
    assert.ok(Math.abs(sentAt - (at + time.offset)) <= 100, `${sentAt - at - time.offset}`);
  }
});

test("without an answer it tries ever more rarely, a minute apart at most, and at once when the page is seen or the network is back", async () => {
  const { driver, take, service, time, played } = page();
  driver.start("job-1");
  moody(service, { is: "lost" });
  const tries: number[] = [];
  const { mood } = service;
  service.mood = (user, job) => {
    tries.push(time.now);
    return mood(user, job);
  };
  take();
  await time.pass(600_000);
  const heartbeat = 25_000;
  const gaps = tries.slice(1).map((at, index) => at - tries[index]!);
  assert.ok(gaps[0]! < 1_200 && gaps[1]! >= 900 && gaps[1]! < 2_200, `${gaps.slice(0, 3)}`);
  assert.ok(tries.length > 600_000 / 60_000 && tries.length < 12 + 8 + 600_000 / 30_000 + 600_000 / heartbeat, `${tries.length}`);
  for (const wake of [() => played.life().refresh!(), () => played.life().erase!(), () => played.visible.set(false), () => played.visible.set(true)]) {
    await time.pass(100_000);
    const before = tries.length;
    wake();
    await time.pass(20);
    assert.equal(tries.length, before + 1);
  }
});

test("the service's own wish to wait is kept, whatever is urgent, within reason", async () => {
  const { driver, take, service, time, played } = page();
  driver.start("job-1");
  moody(service, { is: "again", status: 429, afterMs: 40_000 });
  take();
  await time.pass(1_000);
  played.life().refresh!();
  await time.pass(38_000);
  assert.equal(service.seen.length, 1);
  await time.pass(2_000);
  assert.equal(service.seen.length, 2);
  moody(service, { is: "again", status: 503, afterMs: 86_400_000 });
  await time.pass(60_000);
  const before = service.seen.length;
  moody(service, { is: "fine" });
  await time.pass(300_000);
  assert.ok(service.seen.length > before);
});

test("what is too large goes in parts; one that is too large alone goes, and is told", async () => {
  const { driver, drive, service, time, count, state } = page();
  driver.start("job-1");
  moody(service, { is: "lost" });
  await drive(90);
  moody(service, { is: "small", most: 7 });
  await time.pass(120_000);
  assert.equal(count(), 90);
  moody(service, { is: "small", most: 0 });
  await drive(1);
  await time.pass(10_000);
  assert.deepEqual([state().waiting, state().rejected], [0, { too_large: 1 }]);
});

test("a fix that has a whole post refused is found, told, and holds up none", async () => {
  const { driver, drive, take, service, time, count, state } = page();
  driver.start("job-1");
  moody(service, { is: "lost" });
  await drive(40);
  service.bad.set(`ann-${names.made}-${42}`, "invalid_post");
  take();
  service.bad.set(`ann-${names.made}-${43}`, "rejected");
  await drive(40);
  moody(service, { is: "fine" });
  await time.pass(120_000);
  assert.equal(count(), 79);
  assert.deepEqual([state().waiting, state().rejected], [0, { wrong_type: 1, out_of_range: 1 }]);
});

test("a refusal that is not a fix's fault keeps what waits, and other jobs go on", async () => {
  for (const mood of [{ status: 403, type: "not_a_participant" }, { status: 400, type: "session_in_query" }, { status: 404, type: "not_found" }]) {
    const { driver, drive, service, time, count, state, played } = page();
    moody(service, { is: "refused", ...mood }, "job-1");
    driver.start("job-1");
    await drive(3);
    assert.deepEqual([state().waiting, state().sending, state().heldBy], [3, "held", mood.type]);
    driver.start("job-2");
    await drive(3);
    assert.deepEqual([count("job-1"), count("job-2"), state().waiting, state().rejected], [0, 3, 3, {}]);
    const before = service.seen.length;
    await time.pass(100_000);
    assert.equal(service.seen.length, before, "nobody asks again and again");
    moody(service, { is: "fine" });
    played.life().refresh!();
    await time.pass(1_000);
    assert.deepEqual([count("job-1"), state().waiting, state().sending, state().heldBy], [3, 0, "idle", undefined]);
  }
});

test("what is refused is kept for a day, and then dropped, and told", async () => {
  const { driver, drive, service, state, time, storage, count } = page();
  driver.start("job-1");
  moody(service, { is: "refused", status: 403, type: "not_a_participant" }, "job-1");
  await drive(2);
  await time.pass(12 * 3_600_000);
  await drive(1);
  await time.pass(12 * 3_600_000 - 10_000);
  assert.deepEqual([state().waiting, state().rejected], [3, {}]);
  await time.pass(320_000);
  assert.deepEqual([state().waiting, state().rejected, state().heldBy], [1, { too_old: 2 }, "not_a_participant"]);
  moody(service, { is: "fine" });
  await time.pass(301_000);
  assert.deepEqual([count(), await storage.count("ann")], [1, 0]);
});

test("a job that was refused is tried again when it is started, and after five minutes", async () => {
  const { driver, drive, service, time, count } = page();
  moody(service, { is: "refused", status: 403, type: "not_a_participant" });
  driver.start("job-1");
  await drive(2);
  driver.stop();
  moody(service, { is: "fine" });
  driver.start("job-1");
  await time.pass(1_000);
  assert.equal(count(), 2);
  moody(service, { is: "refused", status: 403, type: "not_a_participant" });
  await drive(2);
  driver.stop();
  moody(service, { is: "fine" });
  await time.pass(290_000);
  assert.equal(count(), 2);
  await time.pass(20_000);
  assert.equal(count(), 4);
});

test("the backlog of one job keeps no other waiting", async () => {
  const { driver, drive, service, time } = page();
  moody(service, { is: "lost" });
  driver.start("job-1");
  await drive(400);
  driver.start("job-2");
  await drive(2);
  service.seen.length = 0;
  moody(service, { is: "small", most: 20 });
  await time.pass(62_000);
  const taken = service.seen.filter(({ ids }) => ids.length <= 20).map(({ job }) => job);
  assert.ok(taken.indexOf("job-2") <= 1, `${taken}`);
  assert.equal(taken.filter((job) => job === "job-1").length >= 20, true);
});

test("a job that the service cannot reach keeps no other waiting", async () => {
  const { driver, drive, service, count } = page();
  moody(service, { is: "again", status: 503, afterMs: 30_000 }, "job-1");
  driver.start("job-1");
  await drive(3);
  driver.start("job-2");
  await drive(10);
  assert.deepEqual([count("job-1"), count("job-2")], [0, 10]);
});

test("a fix belongs to the job that was shared when it was measured", async () => {
  const { driver, drive, service, time, count, state } = page();
  moody(service, { is: "lost" });
  driver.start("job-1");
  await drive(3);
  driver.start("job-2");
  await drive(2);
  driver.stop();
  await drive(5);
  assert.deepEqual([state().waiting, state().sharing, state().job], [5, false, undefined]);
  moody(service, { is: "fine" });
  await time.pass(60_000);
  assert.deepEqual([count("job-1"), count("job-2")], [3, 2]);
});

test("where storage refuses, it goes on in memory, and says so", async () => {
  const refuses = async () => Promise.reject(new Error("refused"));
  const storage = { append: refuses, jobs: refuses, oldest: refuses, count: refuses, remove: refuses, clear: refuses };
  const { driver, drive, service, count, state, time } = page({ options: { storage } });
  driver.start("job-1");
  moody(service, { is: "lost" });
  await drive(5);
  assert.deepEqual([state().waiting, state().durable], [5, false]);
  moody(service, { is: "fine" });
  await time.pass(10_000);
  assert.deepEqual([count(), state().waiting], [5, 0]);
});

test("where storage never answers, what is driven arrives all the same", async () => {
  const never = () => new Promise<never>(() => {});
  const { driver, drive, state, time, count } = page({ options: { storage: { append: never, jobs: never, oldest: never, count: never, remove: never, clear: never } } });
  driver.start("job-1");
  await drive(600);
  await time.pass(20_000);
  assert.deepEqual([count(), state().waiting, state().durable], [600, 0, false]);
});

test("a clock that is set back between a fix and its sending is told to the service as it was", async () => {
  const { driver, drive, service, time, take } = page();
  driver.start("job-1");
  moody(service, { is: "lost" });
  await drive(3);
  const wrong = time.offset;
  time.offset -= 3_600_000;
  take();
  await time.pass(100_000);
  service.seen.length = 0;
  moody(service, { is: "fine" });
  await time.pass(61_000);
  // Two posts, each as of the clock that its fixes were measured by.
  assert.deepEqual(service.seen.map(({ ids }) => ids.length), [3, 1]);
  assert.deepEqual(service.seen.map(({ sentAt, at }) => Math.round((sentAt - at - wrong) / 10_000) + 0), [0, -360]);
});

test("after a reload, and after a sleep, the device's clock counts", async () => {
  const a = page();
  const { time, browser, storage, service } = a;
  a.driver.start("job-1");
  moody(service, { is: "lost" });
  await a.drive(2);
  // Asleep: the device's clock has gone on.
  time.offset += 7_200_000;
  a.take();
  moody(service, { is: "fine" });
  await time.pass(61_000);
  assert.ok(service.seen.every(({ sentAt, at }) => Math.abs(sentAt - at - time.offset) < 7_300_000));
  const { sentAt, at } = service.seen.at(-1)!;
  assert.ok(Math.abs(sentAt - at - time.offset) < 100);
  moody(service, { is: "lost" });
  await a.drive(1);
  a.tab.kill();
  time.offset -= 60_000;
  moody(service, { is: "fine" });
  page({ time, browser, storage, service }).driver.state.subscribe(() => {});
  await time.pass(61_000);
  const last = service.seen.at(-1)!;
  assert.ok(Math.abs(last.sentAt - last.at - time.offset) < 100);
  assert.equal(a.count(), 4);
});

test("storage that says what there is, and cannot read it, is not asked without end", async () => {
  const storage = memoryStorage();
  await storage.append([entry("ann", "job-1", "1")]);
  const { oldest } = storage;
  let [asked, fails] = [0, true];
  storage.oldest = async (...what) => {
    asked += 1;
    if (fails) throw new Error("refused");
    return oldest(...what);
  };
  const { driver, time, count } = page({ storage });
  driver.state.subscribe(() => {});
  await time.pass(60_000);
  assert.ok(asked < 100, `${asked}`);
  fails = false;
  await time.pass(60_000);
  assert.equal(count(), 1);
});

test("what is told by the satellites' clock is told by the phone's", async () => {
  const { driver, service, time } = page();
  driver.start("job-1");
  const hour = 3_600_000;
  for (let second = 0; second < 5; second += 1) {
    driver.take(position(second * 20, time.now + time.offset - hour));
    await time.pass(1_000);
  }
  const ages = service.trail.get("job-1")!.map(({ capturedAt }, second) => second * 1_000 + time.offset - capturedAt);
  assert.deepEqual(ages, [hour, 0, 0, 0, 0]);
});
