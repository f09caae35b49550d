// Signing out while a driver shares: what can leave leaves, and nothing is deleted that nobody was asked about.

import assert from "node:assert/strict";
import { test } from "node:test";
import { signingOut, type SignOut } from "../src/client/sign-out.ts";
import { moody, page } from "./support/driver-page.ts";
import { settled } from "./support/driver-world.ts";

type Page = ReturnType<typeof page>;

/** Signs the page's user out, as a client does; `after`: how long it takes to end the session, in milliseconds. */
function signOut({ played, tab, time, service }: Page, left?: SignOut["left"], after = 0): Promise<boolean> {
  const stop = () => {
    played.stopped = true;
    played.life().stop!();
  };
  const endSession = async () => {
    moody(service, { is: "again", status: 401 });
    await time.wait(after);
  };
  return signingOut({ rooms: new Set([played.room()]), clock: tab.clock, isStopped: () => played.stopped, stop, tell() {}, load() {} })({ endSession, ...(left && { left }) });
}

const states = ({ service }: Page) => service.heartbeats.map(({ state }) => state);

test("what can leave leaves; what is left is counted, and forgotten when that is wanted", async () => {
  const it = page();
  const { driver, drive, service, time, count, state, played, storage } = it;
  await storage.append([{ user: "bob", job: "job-1", fix: { id: "b", lat: 1, lng: 2, capturedAt: 1 }, wall: 0, mono: 0, run: "" }]);
  driver.start("job-1");
  moody(service, { is: "lost" });
  await drive(150);
  moody(service, { is: "fine" });
  const leaving = played.room().leave(5_000);
  await time.pass(1_500);
  assert.equal(await leaving, 0);
  assert.deepEqual([count(), state().sharing, states(it).at(-1)], [150, true, "off_duty"]);
  played.room().resume();
  moody(service, { is: "lost" });
  await drive(4);
  const again = played.room().leave(5_000);
  await time.pass(4_800);
  let answered = false;
  void again.then(() => (answered = true));
  await settled();
  assert.equal(answered, false);
  await time.pass(400);
  assert.equal(await again, 4);
  assert.equal(await storage.count("ann"), 4);
  // As signing out does: first the client is stopped.
  played.stopped = true;
  played.life().stop!();
  const forgotten = played.room().forget();
  await time.pass(1_000);
  await forgotten;
  assert.deepEqual([await storage.count("ann"), await storage.count("bob")], [0, 1]);
});

test("while somebody signs out nothing is taken, so nothing is deleted that was not counted", async () => {
  const it = page();
  it.driver.start("job-1");
  await it.drive(5);
  const done = signOut(it, () => assert.fail("nothing is left"), 3_000);
  const lastFixAt = it.state().lastFixAt;
  await it.drive(8);
  assert.equal(await done, true);
  assert.deepEqual([it.count(), it.state().lastFixAt, await it.storage.count("ann")], [5, lastFixAt, 0]);
});

test("off duty is what is heard last, whatever was being said", async () => {
  const it = page();
  it.driver.start("job-1");
  await it.time.pass(4_000);
  // The first heartbeat is under way, and takes its time.
  let latency = 700;
  it.service.latency = () => latency;
  await it.time.pass(1_000);
  latency = 10;
  const done = signOut(it, undefined, 60_000);
  await it.time.pass(61_000);
  assert.equal(await done, true);
  assert.deepEqual(states(it), ["no_fix", "off_duty"]);
});

test("one heartbeat is said at a time, however long its answer takes", async () => {
  const { driver, service, time, played } = page();
  driver.start("job-1");
  service.latency = () => 40_000;
  await time.pass(80_000);
  assert.deepEqual(played.asked.filter((path) => path.endsWith("/heartbeat")).length, 1);
});

test("where signing out is called off, or fails, the driver shares as before", async () => {
  const it = page();
  it.driver.start("job-1");
  moody(it.service, { is: "lost" });
  await it.drive(2);
  const done = signOut(it, () => false);
  await it.drive(5);
  await it.time.pass(1_500);
  assert.equal(await done, false);
  moody(it.service, { is: "fine" });
  await it.drive(10);
  assert.deepEqual([it.count(), it.state().sharing], [12, true]);
  await it.time.pass(60_000);
  assert.equal(states(it).at(-1), "no_fix");
  it.driver.stop();
  await it.time.pass(1_000);
  it.played.room().resume();
  await it.time.pass(60_000);
  assert.equal(states(it).at(-1), "off_duty");
});

test("where storage never answers, it is asked about what only memory has", async () => {
  const never = () => new Promise<never>(() => {});
  for (const seconds of [3, 120]) {
    const it = page({ options: { storage: { append: never, jobs: never, oldest: never, count: never, remove: never, clear: never } } });
    moody(it.service, { is: "lost" });
    it.driver.start("job-1");
    await it.drive(seconds);
    const asked: number[] = [];
    const done = signOut(it, (count) => asked.push(count) === 0);
    await it.time.pass(6_500);
    assert.deepEqual(asked, [seconds]);
    assert.equal(await done, false);
  }
});

test("whose fixes they are may be known only while they leave", async () => {
  const it = page({ known: false });
  moody(it.service, { is: "lost" });
  it.driver.start("job-1");
  await it.drive(3);
  const leaving = it.played.room().leave(20_000);
  await it.time.pass(1_000);
  moody(it.service, { is: "refused", status: 403, type: "not_a_participant" });
  await it.time.pass(20_000);
  assert.equal(await leaving, 3);
});
