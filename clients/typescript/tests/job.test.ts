// A job that somebody looks at: when it is watched, what is asked, and who is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer, Ask } from "../src/client/types.ts";
import { liveJob } from "../src/view/index.ts";
import type { Feed, Input } from "../src/view/types.ts";
import type { FirstState } from "../src/wire.ts";
import { fakeCore, fakeFeed, settled } from "./support/core.ts";
import { throws } from "./support/fake-core.ts";
import { E, event, first, firstAt, JOB, moved, page, stateAt, T } from "./support/fixes.ts";

const ok = (body: unknown): Answer<unknown> => ({ is: "ok", status: 200, body, etag: undefined });
const again = (afterMs?: number): Answer<unknown> => ({ is: "again", status: 503, type: undefined, reason: undefined, afterMs });
const refused = (status: number, type: string): Answer<unknown> => ({ is: "refused", status, type, reason: undefined });
const after = ({ path }: Ask) => Number(/after=\d+\.(\d+)/.exec(path)![1]);
const initial = (seq: number) => stateAt(seq) as FirstState;

/** A job with everything played. */
function job(answers: (ask: Ask) => Promise<Answer<unknown>> | Answer<unknown> = () => again(), jobId = JOB) {
  const all = { ...fakeCore(answers), ...{ feeding: fakeFeed() } };
  return { ...all, live: liveJob(all.core, all.feeding.feed, jobId, () => 1) };
}

test("a job is watched from the first subscriber until a second after the last", async () => {
  const { live, feeding, clock, lives } = job();
  const one = live.store.subscribe(() => {});
  one();
  const two = live.store.subscribe(() => {});
  const three = live.trail.subscribe(() => {});
  assert.deepEqual([feeding.opened, feeding.isOpen], [1, 1]);
  two();
  await clock.pass(5_000);
  assert.equal(feeding.isOpen, 1);
  three();
  three();
  await clock.pass(900);
  const four = live.store.subscribe(() => {});
  await clock.pass(5_000);
  assert.deepEqual([feeding.opened, feeding.isOpen, lives.size], [1, 1, 1]);
  four();
  await clock.pass(1_000);
  assert.deepEqual([feeding.isOpen, lives.size, clock.waiting], [0, 0, 0]);
});

test("all of a client share a job", () => {
  const { core, feeding, live } = job();
  assert.equal(liveJob(core, feeding.feed, JOB), live);
  assert.notEqual(liveJob(core, feeding.feed, "job-2"), live);
});

test("subscribers are told where what is shown changes, and only there", async () => {
  const { live, feeding, clock } = job();
  let told = 0;
  live.store.subscribe(() => told++);
  feeding.give(moved(6));
  assert.equal(told, 0);
  feeding.give(firstAt(5));
  const shown = live.store.get();
  assert.deepEqual([told, shown.status, shown.position?.seq], [1, "live", 6]);
  feeding.give(firstAt(5), moved(6), moved(4));
  assert.equal(live.store.get(), shown);
  // By time alone.
  await clock.pass(29_899);
  assert.deepEqual([told, live.store.get().status], [1, "live"]);
  await clock.pass(1);
  assert.deepEqual([told, live.store.get().status], [2, "stale"]);
  feeding.give(moved(7, {}, clock.now()));
  assert.deepEqual([told, live.store.get().status], [3, "live"]);
});

test("each has its own age from which a position is stale", async () => {
  const { live, feeding, clock } = job();
  const strict = live.stale(1_000);
  assert.equal(live.stale(1_000), strict);
  live.store.subscribe(() => {});
  strict.subscribe(() => {});
  feeding.give(firstAt(5));
  await clock.pass(900);
  assert.deepEqual([live.store.get().status, strict.get().status], ["live", "stale"]);
});

test("an age that turns out to be another is told", () => {
  const { live, feeding } = job();
  live.store.subscribe(() => {});
  feeding.give(firstAt(5, {}, 0, 0));
  const { ageMs } = live.store.get();
  feeding.give(firstAt(5, { now: T + 9_000 }, 0, 0));
  assert.deepEqual([ageMs, live.store.get().ageMs], [150, 4_100]);
});

test("nothing old is shown when a job is watched again", async () => {
  const { live, feeding, clock } = job();
  live.trail.subscribe(() => {})();
  const leave = live.store.subscribe(() => {});
  feeding.give(firstAt(5), moved(6));
  assert.equal(live.store.get().position?.seq, 6);
  leave();
  await clock.pass(1_000);
  assert.deepEqual([live.store.get().status, live.trail.get().length], ["waiting", 0]);
  live.store.subscribe(() => {});
  assert.equal(live.store.get().status, "waiting");
  feeding.give(firstAt(5));
  assert.equal(live.store.get().position?.seq, 5);
});

test("what a server has rendered is shown at once, and not a second time", async () => {
  const { live, feeding, clock } = job();
  live.seed(initial(5));
  live.seed(initial(5));
  assert.deepEqual([live.store.get().status, live.store.get().position?.seq, feeding.opened], ["live", 5, 0]);
  const leave = live.store.subscribe(() => {});
  feeding.give(moved(6));
  assert.equal(live.store.get().position?.seq, 6);
  leave();
  live.seed(initial(5));
  assert.equal(live.store.get().position?.seq, 6);
  await clock.pass(1_000);
  // Out of a router's cache.
  live.seed(structuredClone(initial(5)));
  assert.equal(live.store.get().status, "waiting");
  live.seed(initial(7));
  assert.equal(live.store.get().position?.seq, 7);
});

test("what a server has rendered does not stay where nobody comes to look", async () => {
  const { live, clock, lives } = job();
  live.seed(initial(5));
  await clock.pass(10_000);
  assert.deepEqual([live.store.get().status, clock.waiting, lives.size], ["waiting", 0, 0]);
  live.seed(initial(5));
  assert.equal(live.store.get().status, "waiting");
});

test("what a server has rendered for somebody who was refused since is not shown", async () => {
  const { live, feeding, clock } = job();
  const leave = live.store.subscribe(() => {});
  feeding.give(firstAt(5), { is: "refused", why: "not_yours", asked: 1, at: 1 });
  assert.equal(live.store.get().status, "not_yours");
  leave();
  await clock.pass(1_000);
  live.seed(initial(9));
  assert.equal(live.store.get().status, "waiting");
});

test("what one job has learnt of the service's clock holds for the next", () => {
  const { core, live, feeding } = job();
  live.store.subscribe(() => {});
  feeding.give(first({ epoch: null, seq: 0, now: T + 65_000 }));
  const other = liveJob(core, feeding.feed, "job-2");
  other.seed({ ...initial(5), jobId: "job-2" });
  assert.deepEqual([other.store.get().status, other.store.get().ageMs], ["stale", 60_100]);
});

test("a page that is put away is empty, and asks before it shows", async () => {
  const { live, feeding, lives, clock } = job();
  live.store.subscribe(() => {});
  live.trail.subscribe(() => {});
  await clock.pass(10);
  feeding.give(firstAt(5, {}, 5, 10));
  for (const life of lives) life.erase?.();
  assert.deepEqual([live.store.get().status, live.trail.get().length], ["waiting", 0]);
  feeding.give(firstAt(5, {}, 9, 10));
  assert.equal(live.store.get().status, "waiting");
  feeding.give(firstAt(5, {}, 10, 10));
  assert.equal(live.store.get().status, "live");
});

test("a client that is stopped shows nothing and asks nothing, whoever comes", async () => {
  const { live, feeding, lives, clock, asked } = job();
  live.store.subscribe(() => {});
  live.trail.subscribe(() => {});
  feeding.give(firstAt(5));
  for (const life of lives) life.stop?.();
  assert.deepEqual([live.store.get().status, live.trail.get().length, feeding.isOpen, lives.size], ["waiting", 0, 0, 0]);
  live.store.subscribe(() => {});
  live.seed(initial(9));
  await clock.pass(60_000);
  assert.deepEqual([live.store.get().status, feeding.opened, asked], ["waiting", 1, []]);
});

test("the whole trail is asked for once somebody wants it, page after page", async () => {
  const { live, feeding, clock, asked } = job((ask) => ok(after(ask) === 0 ? page([1, 2], 2) : page([3, 4], null)));
  live.store.subscribe(() => {});
  feeding.give(firstAt(5));
  await clock.pass(60_000);
  assert.deepEqual([asked, live.trail.get()], [[], []]);
  let told = 0;
  live.trail.subscribe(() => told++);
  await clock.pass(250);
  assert.deepEqual(asked, [`/api/jobs/${JOB}/locations?after=${E}.0&limit=1000`, `/api/jobs/${JOB}/locations?after=${E}.2&limit=1000`]);
  assert.deepEqual(live.trail.get().map(({ seq }) => seq), [1, 2, 3, 4]);
  assert.equal(told, 2);
  const points = live.trail.get();
  feeding.give({ is: "link", up: false, at: clock.now() });
  assert.equal(live.trail.get(), points);
});

test("holes are filled by one request at a time, with backoff", async () => {
  let answer = again();
  const { live, feeding, clock, asked } = job(() => answer);
  live.trail.subscribe(() => {});
  feeding.give(firstAt(1), moved(4), moved(7));
  const counts: number[] = [];
  for (const ms of [250, 999, 1, 1_999, 1, 3_999, 1]) {
    await clock.pass(ms);
    counts.push(asked.length);
  }
  assert.deepEqual(counts, [1, 1, 2, 2, 3, 3, 4]);
  answer = again(45_000);
  await clock.pass(8_000);
  assert.equal(asked.length, 5);
  await clock.pass(44_999);
  assert.equal(asked.length, 5);
  answer = ok(page([2, 3, 4, 5, 6, 7], null));
  await clock.pass(1);
  assert.equal(asked.length, 6);
  assert.deepEqual(live.trail.get().map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7]);
  await clock.pass(60_000);
  assert.equal(asked.length, 6);
});

test("a page that brings nothing is asked for again, later each time", async () => {
  const { live, feeding, clock, asked } = job((ask) => ok(page([], after(ask))));
  live.trail.subscribe(() => {});
  feeding.give(firstAt(3));
  await clock.pass(60_000);
  assert.ok(asked.length >= 5 && asked.length <= 7, String(asked.length));
});

test("as soon as the network is back, holes are filled", async () => {
  let answer = again();
  const { live, feeding, clock, asked, lives } = job(() => answer);
  live.trail.subscribe(() => {});
  feeding.give(firstAt(3));
  await clock.pass(40_000);
  const before = asked.length;
  feeding.give({ is: "link", up: false, at: clock.now() });
  await clock.pass(120_000);
  assert.ok(asked.length <= before + 1);
  answer = ok(page([1, 2, 3], null));
  feeding.give({ is: "link", up: true, at: clock.now() });
  await clock.pass(250);
  assert.equal(live.trail.get().length, 3);
  feeding.give(moved(9, {}, clock.now()));
  answer = again();
  await clock.pass(40_000);
  const then = asked.length;
  for (const life of lives) life.refresh?.();
  await clock.pass(250);
  assert.equal(asked.length, then + 1);
});

test("who is refused the trail asks for the first state, which decides", async () => {
  const { live, feeding, clock, asked } = job(() => refused(403, "not_a_participant"));
  live.trail.subscribe(() => {});
  feeding.give(firstAt(3));
  await clock.pass(250);
  assert.deepEqual([live.store.get().status, asked.length, feeding.asked], ["live", 1, 1]);
  // Something between here and the service refuses trails: it is asked again, as seldom as where there is no answer.
  await clock.pass(999);
  assert.equal(asked.length, 1);
  await clock.pass(1);
  assert.deepEqual([live.store.get().status, asked.length, feeding.asked], ["live", 2, 2]);
  feeding.give({ is: "refused", why: "not_yours", asked: 1_250, at: 1_300 });
  await clock.pass(60_000);
  assert.deepEqual([live.store.get().status, asked.length], ["not_yours", 2]);
});

test("a driver who is not heard of is asked about, every 30 s while somebody looks", async () => {
  const { core, live, feeding, clock } = job();
  let seen = true;
  Object.assign(core, { visible: { get: () => seen, subscribe: () => () => {} } });
  const leave = live.stale(Infinity).subscribe(() => {});
  const counts = async (...times: number[]) => {
    const all: number[] = [];
    for (const ms of times) {
      await clock.pass(ms);
      all.push(feeding.asked);
    }
    return all;
  };
  // As long as a position is of now, nobody asks.
  feeding.give(firstAt(5, { heartbeat: "parked" }));
  for (let seq = 6; seq < 10; seq++) {
    assert.deepEqual(await counts(20_000), [0]);
    feeding.give(moved(seq, { capturedAt: T + clock.now(), ts: T + clock.now() }, clock.now()));
  }
  // It becomes stale after 30 s. Until there is an answer, it is the feed that asks.
  assert.deepEqual(await counts(24_000, 11_000, 300_000), [0, 1, 1]);
  const tell = (more: object) => feeding.give(first({ ...stateAt(9), capturedAt: T + 80_000, ts: T + 80_000, now: T + clock.now(), ...more }, clock.now()));
  tell({ heartbeat: "off_duty" });
  assert.deepEqual([live.store.get().status, live.store.get().heartbeat], ["stale", "off_duty"]);
  assert.deepEqual(await counts(29_000, 6_000), [1, 2]);
  tell({ silentSince: T + 80_000 });
  assert.equal(live.store.get().status, "silent");
  assert.deepEqual(await counts(29_000, 6_000), [2, 3]);
  tell({});
  seen = false;
  assert.deepEqual(await counts(300_000), [3]);
  seen = true;
  assert.deepEqual(await counts(5_000), [4]);
  tell({});
  feeding.give({ is: "link", up: false, at: clock.now() });
  assert.deepEqual(await counts(60_000), [4]);
  leave();
  await clock.pass(1_000);
  assert.equal(clock.waiting, 0);
});

test("however many are not heard of: one a second is asked about, and each in its turn", async () => {
  const { core, clock } = fakeCore(() => again());
  const asked = new Map<string, number>();
  const times: number[] = [];
  for (let n = 0; n < 60; n++) {
    const jobId = `job-${n}`;
    let give = (_: Input) => {};
    const state = () => ({ ...stateAt(5), jobId, now: T + 40_000 + clock.now() });
    const feed: Feed = (_, to) => {
      give = to;
      return {
        ask() {
          asked.set(jobId, (asked.get(jobId) ?? 0) + 1);
          times.push(clock.now());
          give(first(state(), clock.now()));
        },
        stop() {},
      };
    };
    liveJob(core, feed, jobId).store.subscribe(() => {});
    give(first(state()));
  }
  await clock.pass(600_000);
  assert.ok(times.every((time, n) => n === 0 || time - times[n - 1]! >= 1_000), "apart");
  assert.deepEqual([asked.size, times.length > 300], [60, true]);
});

test("an age that is never reached is not waited for", async () => {
  const { live, feeding, clock } = job();
  live.stale(Infinity).subscribe(() => {});
  const { waiting } = clock;
  feeding.give(firstAt(5));
  assert.deepEqual([live.stale(Infinity).get().status, clock.waiting], ["live", waiting]);
});

test("an end lets go of the feed, and it is not asked again", async () => {
  const { live, feeding, clock } = job();
  live.store.subscribe(() => {});
  feeding.give(firstAt(3), event("job.closed", { reason: "done" }));
  assert.deepEqual([live.store.get().status, live.store.get().reason, feeding.isOpen], ["ended", "done", 0]);
  live.store.subscribe(() => {});
  await clock.pass(60_000);
  assert.equal(feeding.opened, 1);
});

test("at most six ask at once, over all jobs, and an answer that comes after it was let go changes nothing", async () => {
  const open: (() => void)[] = [];
  const all = fakeCore(() => new Promise<Answer<unknown>>((done) => open.push(() => done(again()))));
  const feeds = Array.from({ length: 9 }, () => fakeFeed());
  const jobs = feeds.map(({ feed }, n) => liveJob(all.core, feed, `job-${n}`, () => 0));
  const leave = jobs.map((job) => job.trail.subscribe(() => {}));
  feeds.forEach(({ give }, n) => give(first({ ...stateAt(3), jobId: `job-${n}` })));
  await all.clock.pass(0);
  assert.equal(all.asked.length, 6);
  open.shift()!();
  await settled();
  assert.equal(all.asked.length, 7);
  leave.forEach((leave) => leave());
  await all.clock.pass(1_000);
  open.splice(0).forEach((answer) => answer());
  await all.clock.pass(60_000);
  assert.equal(all.asked.length, 7);
});

test("a hole that is noticed while one is asked for waits for its answer, which may have filled it", async () => {
  const open: ((answer: Answer<unknown>) => void)[] = [];
  const { live, feeding, clock, asked } = job(() => new Promise<Answer<unknown>>((done) => open.push(done)));
  live.trail.subscribe(() => {});
  feeding.give(firstAt(1));
  await clock.pass(250);
  feeding.give(moved(4, {}, clock.now()), { is: "link", up: true, at: clock.now() });
  await clock.pass(60_000);
  assert.equal(asked.length, 1);
  open[0]!(ok(page([2, 3, 4], null)));
  await clock.pass(0);
  assert.deepEqual(live.trail.get().map(({ seq }) => seq), [1, 2, 3, 4]);
});

test("an answer for the time before it was let go is not for the time after", async () => {
  let answer = (_: Answer<unknown>) => {};
  const { live, feeding, clock } = job(() => new Promise<Answer<unknown>>((done) => (answer = done)));
  const leave = live.trail.subscribe(() => {});
  feeding.give(firstAt(3));
  await clock.pass(250);
  leave();
  await clock.pass(1_000);
  live.trail.subscribe(() => {});
  feeding.give(first({ ...stateAt(3) }, clock.now()));
  answer(ok(page([1, 2, 3], null)));
  await settled();
  assert.deepEqual(live.trail.get().map(({ seq }) => seq), [3]);
});

test("what one listener throws is kept from no other, and holes are filled all the same", async (t) => {
  const thrown = throws(t);
  const { live, feeding, clock } = job((ask) => ok(after(ask) === 0 ? page([1, 2], 2) : page([3, 4, 5], null)));
  const throwing = () => {
    throw new Error("a listener's");
  };
  live.trail.subscribe(throwing);
  live.store.subscribe(throwing);
  let told = 0;
  live.store.subscribe(() => told++);
  feeding.give(firstAt(5));
  await clock.pass(1_000);
  assert.deepEqual([told, live.trail.get().map(({ seq }) => seq)], [1, [1, 2, 3, 4, 5]]);
  assert.ok(thrown.length >= 3 && thrown.every((message) => message === "a listener's"), thrown.join());
});

test("what is thrown while a hole is filled does not end the filling", async (t) => {
  const rejected: unknown[] = [];
  const hear = (error: unknown) => void rejected.push(error);
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", hear);
  t.after(() => {
    process.removeAllListeners("unhandledRejection");
    for (const other of others) process.on("unhandledRejection", other);
  });
  let isMended = false;
  const { live, feeding, clock } = job(() => {
    if (!isMended) throw new Error("a bug");
    return ok(page([1, 2, 3], null));
  });
  live.trail.subscribe(() => {});
  feeding.give(firstAt(3));
  await clock.pass(300);
  isMended = true;
  await clock.pass(5_000);
  assert.deepEqual([live.trail.get().length, rejected.length], [3, 1]);
});

test("a job that nobody watches any more is forgotten, but that it has ended, and what is not to be shown again", async () => {
  /** The job, after it was watched. `happens` while it is. */
  const next = async (happens: (all: ReturnType<typeof job>) => void) => {
    const all = job();
    const leave = all.live.store.subscribe(() => {});
    happens(all);
    leave();
    const of = () => liveJob(all.core, all.feeding.feed, JOB, () => 1);
    assert.equal(of(), all.live, "for a second");
    await all.clock.pass(1_000);
    assert.notEqual(of(), all.live);
    return { ...all, live: of() };
  };
  const plain = await next(({ feeding }) => feeding.give(firstAt(5)));
  assert.equal(plain.live.store.get().status, "waiting");
  plain.live.seed(initial(5));
  assert.equal(plain.live.store.get().position?.seq, 5);
  const seeded = await next(({ live }) => live.seed(initial(5)));
  seeded.live.seed(initial(5));
  assert.equal(seeded.live.store.get().status, "waiting");
  const notYours = await next(({ feeding, clock }) => feeding.give({ is: "refused", why: "not_yours", asked: clock.now(), at: clock.now() }));
  notYours.live.seed(initial(9));
  assert.equal(notYours.live.store.get().position, undefined);
  const ended = await next(({ feeding }) => feeding.give(event("job.closed", { reason: "done" })));
  ended.live.store.subscribe(() => {});
  assert.deepEqual([ended.live.store.get().status, ended.live.store.get().reason, ended.feeding.opened], ["ended", "done", 1]);
});
