// What a driver's page is told and tells: its job, its tabs, its users, and when it stands.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createDriver } from "../src/driver/index.ts";
import { moody, page } from "./support/driver-page.ts";
import { position, settled } from "./support/driver-world.ts";

test("the state is the same value as long as nothing changes", async () => {
  const { driver, time, state } = page();
  let changes = 0;
  const off = driver.state.subscribe(() => (changes += 1));
  await time.pass(20_000);
  const [before, counted] = [state(), changes];
  await time.pass(60_000);
  assert.equal(state(), before);
  assert.equal(changes, counted);
  off();
  driver.start("job-1");
  assert.equal(changes, counted);
});

test("it does nothing before somebody starts it or wants to know", async () => {
  const { time, service, browser, driver } = page();
  await time.pass(60_000);
  assert.deepEqual([service.seen.length, service.heartbeats.length, browser.locks.size], [0, 0, 0]);
  driver.take(position(0, 0));
  await time.pass(60_000);
  assert.equal(browser.locks.size, 0);
});

test("a driver who has the job no more is told, and shares no more", async () => {
  for (const why of ["reassigned", "job_closed"] as const) {
    const { driver, drive, service, state, time } = page();
    driver.start("job-1");
    await drive(2);
    service.ended.set("job-1", why);
    await drive(3);
    assert.deepEqual([state().ended, state().sharing, state().waiting, state().rejected], [why, false, 0, { [why]: 1 }]);
    const said = service.heartbeats.length;
    await time.pass(120_000);
    assert.equal(service.heartbeats.length, said);
    driver.start("job-2");
    await drive(1);
    assert.deepEqual([state().ended, state().sharing, state().job], [undefined, true, "job-2"]);
  }
});

test("of another job's end the one that is shared hears nothing", async () => {
  const { driver, drive, service, state, count } = page();
  driver.start("job-1");
  moody(service, { is: "lost" });
  await drive(3);
  service.ended.set("job-1", "job_closed");
  driver.start("job-2");
  moody(service, { is: "fine" });
  await drive(5);
  assert.deepEqual([state().ended, state().sharing, state().rejected, count("job-2")], [undefined, true, { job_closed: 3 }, 5]);
});

test("a vehicle that stands is heard of with the truth", async () => {
  let permission = (_: string) => {};
  let taking = (_: unknown) => {};
  const geolocation = {
    watchPosition(success: (position: never) => void, error: (error: { code: number }) => void) {
      permission = () => error({ code: 1 });
      taking = (position) => success(position as never);
      return 1;
    },
    clearWatch() {},
  };
  const { driver, time, service, state } = page({ options: { geolocation } });
  driver.start("job-1");
  await time.pass(6_000);
  assert.deepEqual(service.heartbeats.map(({ state }) => state), ["no_fix"]);
  for (let second = 0; second < 40; second += 1) {
    taking(position(0, time.now + time.offset, { speed: 0 }));
    await time.pass(1_000);
  }
  assert.deepEqual(service.heartbeats.map(({ state }) => state), ["no_fix", "parked"]);
  await time.pass(60_000);
  assert.deepEqual(service.heartbeats.map(({ state }) => state), ["no_fix", "parked", "parked", "no_fix"]);
  permission("denied");
  assert.equal(state().permission, "denied");
  await time.pass(30_000);
  driver.stop();
  await time.pass(65_000);
  const said = service.heartbeats.map(({ state }) => state).slice(4);
  assert.deepEqual([said.slice(0, -1).every((state) => state === "no_permission"), said.at(-1)], [true, "off_duty"]);
  const gaps = service.heartbeats.slice(1).map(({ at }, index) => at - service.heartbeats[index]!.at);
  assert.ok(gaps.every((gap) => gap <= 41_000), `${gaps}`);
});

test("off duty is said until it was heard, and then the phone says nothing", async () => {
  const { driver, time, service, played } = page();
  driver.start("job-1");
  await time.pass(6_000);
  moody(service, { is: "lost" });
  driver.stop();
  await time.pass(65_000);
  moody(service, { is: "fine" });
  await time.pass(30_000);
  assert.equal(service.heartbeats.at(-1)?.state, "off_duty");
  const asked = played.asked.length;
  await time.pass(300_000);
  assert.equal(played.asked.length, asked);
});

test("who drives sends no heartbeats, and a heartbeat tells that the job has ended, too", async () => {
  const { driver, drive, service, state, time } = page();
  driver.start("job-1");
  await drive(120);
  assert.deepEqual(service.heartbeats, []);
  service.ended.set("job-1", "reassigned");
  await time.pass(31_000);
  assert.deepEqual([state().ended, state().sharing], ["reassigned", false]);
});

test("a job id that is none is refused, and a start that is repeated changes nothing", async () => {
  const { driver, drive, count } = page();
  for (const bad of ["", ".", "..", "a/b", "a%2fb", "ä", "x".repeat(65)]) assert.throws(() => driver.start(bad), RangeError);
  driver.start("job-1");
  await drive(1);
  driver.start("job-1");
  await drive(1);
  assert.equal(count(), 2);
});

test("two drivers share a phone: the first one's fixes wait for the first one", async () => {
  const first = page({ user: "ann" });
  const { time, browser, storage, service } = first;
  moody(service, { is: "lost" });
  first.driver.start("job-1");
  await first.drive(5);
  first.played.stopped = true;
  first.played.life().stop!();
  const bob = page({ user: "bob", time, browser, storage, service });
  moody(service, { is: "fine" });
  bob.driver.start("job-1");
  await bob.drive(3);
  assert.deepEqual([bob.state().waiting, bob.state().oldestAt], [0, undefined]);
  assert.deepEqual(service.trail.get("job-1")!.map(({ user }) => user), ["bob", "bob", "bob"]);
  assert.equal(await storage.count("ann"), 5);
  bob.played.life().stop!();
  const back = page({ user: "ann", time, browser, storage, service });
  back.driver.state.subscribe(() => {});
  await time.pass(1_000);
  assert.deepEqual(service.trail.get("job-1")!.map(({ user }) => user).slice(3), Array(5).fill("ann"));
  assert.equal(await storage.count("ann"), 0);
});

test("a client that is stopped takes and sends nothing more, and what waits stays", async () => {
  const { driver, drive, service, storage, state, time, played } = page();
  driver.start("job-1");
  moody(service, { is: "again", status: 503 });
  await drive(3);
  moody(service, { is: "fine" });
  // Its session is another user's now, which only an answer says.
  played.stopped = true;
  await time.pass(60_000);
  assert.deepEqual([state().sharing, state().job], [false, undefined]);
  await drive(3);
  driver.start("job-2");
  await drive(3);
  await time.pass(120_000);
  assert.equal(await storage.count("ann"), 3);
  assert.equal(state().sharing, false);
});

test("a client that was stopped before shares nothing", async () => {
  const { driver, drive, state, played, browser, storage } = page();
  played.stopped = true;
  driver.start("job-1");
  await drive(3);
  assert.deepEqual([state().sharing, state().job, browser.locks.size, await storage.count("ann")], [false, undefined, 0, 0]);
});

test("fixes are taken before it is known whose page it is, and are that user's", async () => {
  const { driver, drive, service, count, state, time } = page({ known: false });
  moody(service, { is: "lost" });
  driver.start("job-1");
  driver.take(position(0, time.now + time.offset));
  await settled();
  assert.deepEqual([state().waiting, state().durable], [1, false]);
  driver.start("job-2");
  await drive(2);
  assert.equal(state().waiting, 3);
  moody(service, { is: "fine" });
  await drive(10);
  assert.deepEqual([count("job-1"), count("job-2")], [1, 12]);
  assert.equal(state().durable, true);
});

test("what was taken before it was known whose page it is stays with its user where the client is stopped, but for a sign-out", async () => {
  for (const [reason, stays] of [["another_user", 3], ["signed_out", 0]] as const) {
    const { driver, drive, service, state, storage, time, played } = page({ known: false });
    moody(service, { is: "lost" });
    driver.start("job-1");
    await drive(3);
    assert.equal(state().waiting, 3);
    // The page itself has asked something, and nobody has said so.
    played.core = Object.assign(played.core, { user: () => "ann", connection: { get: () => ({ state: "stopped", reason }) } });
    played.stopped = true;
    played.life().stop!();
    await time.pass(1_000);
    assert.equal(await storage.count("ann"), stays);
  }
});

test("while all is well, what waits is durable at every moment", async () => {
  const { driver, drive, state } = page();
  const durable = new Set<boolean>();
  driver.state.subscribe(() => durable.add(state().durable));
  driver.start("job-1");
  await drive(10);
  assert.deepEqual([...durable], [true]);
});

test("storage is asked to last, once", async () => {
  let asked = 0;
  const { driver, time } = page({ options: { persist: async () => void (asked += 1) } });
  driver.state.subscribe(() => {});
  await time.pass(10_000);
  assert.equal(asked, 0);
  driver.start("job-1");
  driver.start("job-2");
  driver.stop();
  driver.start("job-1");
  assert.equal(asked, 1);
});

test("one tab sends for all; the others say so, and hear what becomes of theirs", async () => {
  const a = page();
  const { time, browser, storage, service } = a;
  a.driver.start("job-1");
  await a.drive(2);
  const b = page({ time, browser, storage, service });
  b.driver.state.subscribe(() => {});
  await time.pass(100);
  // The one that was opened last is the one that is looked at.
  assert.deepEqual([a.state().sender, b.state().sender], ["another_tab", "this_tab"]);
  const asked = a.played.asked.length;
  await a.drive(10);
  assert.equal(a.count(), 12);
  assert.deepEqual([a.played.asked.slice(asked), b.played.asked.length >= 10], [[], true]);
  assert.equal(a.state().waiting, 0);
  moody(service, { is: "lost" });
  await a.drive(3);
  await time.pass(6_000);
  assert.deepEqual([a.state().waiting, b.state().waiting], [3, 3]);
  assert.ok(!a.played.asked.slice(asked).some((path) => path.endsWith("/location")));
  moody(service, { is: "fine" });
  service.ended.set("job-1", "reassigned");
  b.played.life().refresh!();
  // Before a heartbeat would say it.
  await time.pass(500);
  assert.equal(service.heartbeats.length, 0);
  assert.deepEqual([a.state().ended, a.state().sharing, a.state().waiting], ["reassigned", false, 0]);
  assert.equal(b.state().ended, undefined);
  b.tab.kill();
  await time.pass(100);
  assert.equal(a.state().sender, "this_tab");
});

test("who shares before it is known whose page it is, is off duty in no other tab", async () => {
  const a = page();
  a.driver.start("job-1");
  await a.drive(1);
  a.driver.stop();
  await a.time.pass(1_000);
  const b = page({ time: a.time, browser: a.browser, storage: a.storage, service: a.service, known: false });
  moody(a.service, { is: "lost" });
  b.driver.start("job-1");
  await a.time.pass(1_000);
  moody(a.service, { is: "fine" });
  await a.time.pass(6_000);
  const before = a.service.heartbeats.length;
  await a.time.pass(100_000);
  assert.deepEqual(new Set(a.service.heartbeats.slice(before).map(({ state }) => state)), new Set(["no_fix"]));
});

test("who shares in one tab is not off duty in another", async () => {
  const a = page();
  const b = page(a);
  a.driver.start("job-1");
  await a.drive(1);
  a.driver.stop();
  await a.time.pass(1_000);
  assert.equal(a.service.heartbeats.at(-1)?.state, "off_duty");
  b.driver.start("job-1");
  const before = a.service.heartbeats.length;
  await a.time.pass(100_000);
  assert.deepEqual(new Set(a.service.heartbeats.slice(before).map(({ state }) => state)), new Set(["no_fix"]));
});

test("no place and no name is in what is shared with other tabs, or in errors", async () => {
  const { driver } = page({ user: "ann@example.com" });
  assert.throws(() => driver.start("ann@example.com/48.2"), (error: Error) => !/ann|48/.test(error.message));
});

test("a client has one driver", () => {
  const { played, driver } = page();
  assert.equal(createDriver(played.core), driver);
});
