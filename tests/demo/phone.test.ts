// What the simulated phones do over an hour: each what its habit says, and nobody anything that a vehicle or a phone could not.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { cast } from "../../scripts/demo/cast.mjs";
import { body, type Doing, doings, type Habit, type Measured, type Phone } from "../../scripts/demo/phone.mjs";
import { whereabouts } from "../../scripts/demo/route.mjs";
import { distance } from "../../scripts/drive/earth.mjs";
import { schedule } from "../../scripts/drive/schedule.mjs";
import { readTrack } from "../../scripts/drive/track.mjs";
import { ROOT } from "../../scripts/setup/environment.mjs";

const HOUR = 3600;
/** No car of this drive is faster, in metres a second, however it is varied. */
const FASTEST = 35;

const drive = schedule(readTrack(join(ROOT, "tests", "data", "car-drive.gpx")));
const company = cast(drive, "demo-x");

function anHour(phone: Phone): Doing[] {
  const done: Doing[] = [];
  for (const doing of doings(phone)) {
    if (doing.at >= HOUR) break;
    done.push(doing);
  }
  return done;
}

function phoneThat(habit: Habit, isIt: (phone: Phone) => boolean = () => true): Phone {
  const found = company.drivers.find(({ phone }) => phone.habit === habit && isIt(phone));
  assert.ok(found, `nobody's phone is ${habit}`);
  return found.phone;
}

const posts = (done: Doing[]) => done.flatMap((doing) => ("fixes" in doing ? [{ at: doing.at, fixes: doing.fixes }] : []));
const heartbeats = (done: Doing[]) => done.flatMap((doing) => ("heartbeat" in doing ? [{ at: doing.at, state: doing.heartbeat }] : []));
const measured = (done: Doing[]) => posts(done).flatMap(({ fixes }) => fixes);
const times = (fixes: Measured[]) => fixes.map((fix) => fix.measured);

for (const { id, phone } of company.drivers) {
  test(`${id}, ${phone.habit}: in order, after it was measured, and without a leap in an hour`, () => {
    const done = anHour(phone);
    done.forEach(({ at }, index) => assert.ok(at >= (done[index - 1]?.at ?? 0)));
    for (const { at, fixes } of posts(done)) {
      assert.ok(fixes.length > 0 && fixes.length <= 100);
      assert.ok(fixes.every((fix) => fix.measured <= at));
    }
    const way = measured(done).toSorted((a, b) => a.measured - b.measured);
    for (const [index, fix] of way.entries()) {
      const before = way[index - 1] ?? fix;
      assert.ok(distance(before, fix) <= FASTEST * (fix.measured - before.measured) + 1e-6, `a leap at ${fix.measured}`);
      assert.ok(fix.speed <= FASTEST && fix.heading < 360);
    }
  });
}

test("all drive apart, 1 to 6 km around where the drive began, and each fix is of every 1 to 5 s", () => {
  const starts = company.drivers.map(({ phone }) => phone.route.spots[0] ?? assert.fail());
  const [origin] = drive;
  assert.ok(origin);
  for (const [index, start] of starts.entries()) {
    assert.ok(distance(origin, start) > 950 && distance(origin, start) < 6050);
    for (const other of starts.slice(index + 1)) assert.ok(distance(start, other) > 500);
  }
  for (const { phone } of company.drivers) assert.ok(phone.every >= 1 && phone.every <= 5);
});

test("to and fro for ever: it comes back to where it was, by the same way", () => {
  const { route } = phoneThat("plain");
  const length = route.spots.at(-1)?.at ?? 0;
  for (const seconds of [0, 17, length - route.offset, length + 3, 1.7 * length]) {
    const [first, later] = [whereabouts(route, seconds), whereabouts(route, seconds + 20 * length)];
    assert.ok(distance(first, later) < 0.01);
    // As long before an end as after it, it is at the same place and drives the other way.
    const [to, fro] = [1, -1].map((sign) => whereabouts(route, 5 * length - route.offset + sign * (seconds + 0.5)));
    assert.ok(to && fro && distance(to, fro) < 0.01);
    if (to.speed > 0.5) assert.ok(Math.abs(Math.abs(to.heading - fro.heading) - 180) < 0.01);
  }
});

test("a tunnel: 40 s of heartbeats, and what was reckoned inside comes in one post after the first fix outside", () => {
  const phone = phoneThat("tunnel");
  const done = anHour(phone);
  const late = posts(done).filter(({ fixes }) => fixes.length > 1);
  assert.equal(late.length, 15);
  for (const { at, fixes } of late) {
    assert.equal(fixes.length, 40 / phone.every);
    assert.ok(posts(done).some((post) => post.at === at && post.fixes[0]?.measured === at));
    assert.ok(fixes.every((fix) => fix.measured < at && fix.accuracy > 50));
    const within = heartbeats(done).filter((beat) => beat.at < at && beat.at >= at - 40);
    assert.ok(within.length >= 2 && within.every(({ state }) => state === "no_fix"));
    // Nothing else leaves meanwhile, and yet it is heard of.
    assert.deepEqual(posts(done).filter((post) => post.at < at && post.at >= at - 40), []);
  }
  assert.equal(new Set(times(measured(done))).size, HOUR / phone.every, "none is lost, none comes twice");
});

test("90 s without a network: nothing leaves, then a backlog in posts, in order and whole", () => {
  const phone = phoneThat("offline");
  const done = anHour(phone);
  const pauses = posts(done).filter(({ at }, index, all) => at - (all[index - 1]?.at ?? at) >= 90);
  assert.equal(pauses.length, 8);
  assert.ok(pauses.every(({ fixes }) => fixes.length === 20));
  const all = times(measured(done));
  assert.deepEqual(all, all.toSorted((a, b) => a - b));
  assert.equal(new Set(all).size, all.length);
  // It catches up, before the hour ends with a ninth.
  assert.equal(all.at(-1), HOUR - 90 - phone.every);
});

test("one goes silent for good, one is parked and is heard of each half a minute", () => {
  const silent = anHour(phoneThat("silent"));
  assert.ok((silent.at(-1)?.at ?? 0) > 120 && (silent.at(-1)?.at ?? 0) < 300);
  const parked = anHour(phoneThat("parked"));
  assert.equal(heartbeats(parked).length, HOUR / 30);
  assert.ok(heartbeats(parked).every(({ state }) => state === "parked"));
  // What it says last, at any time, is that it is parked.
  for (const { at } of posts(parked)) assert.equal(parked.findLast((doing) => doing.at === at && "heartbeat" in doing)?.at, at);
  assert.ok(measured(parked).every(({ speed }) => speed === 0));
});

test("one says -1 for what it does not know, and one posts everything twice", () => {
  assert.ok(measured(anHour(phoneThat("unknowns"))).every(({ speed, heading }) => speed === -1 && heading === -1));
  const twice = posts(anHour(phoneThat("twice")));
  assert.ok(twice.length % 2 === 0 && twice.every((post, index) => index % 2 === 0 || post === twice[index - 1] || post.fixes === twice[index - 1]?.fixes));
});

test("clocks: seven minutes ahead and nothing said, or years off and said; the others right", () => {
  const start = 1_800_000_000_000;
  const post = (phone: Phone) => body(phone, [{ ...whereabouts(phone.route, 8), accuracy: 5, measured: 8 }], start, start + 9_000);
  const ahead = post(phoneThat("plain", (phone) => phone.untold === true));
  assert.deepEqual([ahead.locations[0]?.capturedAt, "sentAt" in ahead], [start + 8_000 + 420_000, false]);
  const off = post(phoneThat("plain", ({ ahead = 0 }) => Math.abs(ahead) > 365 * 86_400));
  assert.equal((off.sentAt ?? 0) - (off.locations[0]?.capturedAt ?? 0), 1000);
  assert.ok((off.sentAt ?? start) < start - 5 * 365 * 86_400_000);
  const right = post(phoneThat("tunnel"));
  assert.deepEqual([right.sentAt, right.locations[0]?.capturedAt], [start + 9_000, start + 8_000]);
  assert.ok(!("measured" in (right.locations[0] ?? {})));
});

test("twelve drivers have a job each, one job waits; customers have one, two, three", () => {
  assert.equal(company.drivers.length, 12);
  assert.deepEqual(company.jobs.map(({ driver }) => driver), [...company.drivers.map(({ id }) => id), null]);
  const [ann, ben, cleo] = company.customers.map(({ id }) => company.jobs.filter(({ customers }) => customers.includes(id)).length);
  assert.deepEqual([ann, ben, cleo], [1, 2, 3]);
  assert.equal(new Set(company.jobs.map(({ jobId }) => jobId)).size, 13);
  assert.ok(company.jobs.every(({ jobId }) => /^demo-x-\d\d$/.test(jobId)));
});
