// What a page shows before what watches is loaded, and how that takes over.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { loaded } from "../src/client/later.ts";
import { ageMs, begin, initialSnapshot, reduce, show } from "../src/view/index.ts";
import { watchJob, watchTrail } from "../src/watch.ts";
import type { FirstState } from "../src/wire.ts";
import { FakeCore, ok, settled } from "./support/fake-core.ts";

const state = (seq: number, now: number): FirstState => ({ jobId: "job-1", epoch: 5, seq, fromSeq: seq, lat: seq, lng: 2, ts: now - 1_000, capturedAt: now - 1_000, now, ageMs: 1_000 });
const NOW = 1_795_000_000_000;

test("of a first state it shows what the reducer would", () => {
  // Whoever has posted in this millisecond is not silent.
  const time = fc.integer({ min: NOW - 100_000, max: NOW - 1 });
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const vitals = { lastHeard: maybe(time), arrivedAt: maybe(time), heartbeat: maybe(fc.constantFrom("parked", "no_fix")), silentSince: maybe(time), fixMissingSince: maybe(time) };
  const measured = { lat: fc.double({ min: -90, max: 90, noNaN: true }), lng: fc.double({ min: -180, max: 180, noNaN: true }), speed: maybe(fc.nat()), heading: maybe(fc.nat()), accuracy: maybe(fc.nat()), altitude: maybe(fc.integer()), clock: maybe(fc.constantFrom("ahead", "repaired")) };
  const jobId = fc.constantFrom("job-1", "job-1", "job-2");
  const now = fc.constant(NOW);
  const any = fc.oneof(
    fc.record({ jobId, withheld: fc.constant(true), gate: fc.constantFrom("from", "within"), opensAt: maybe(time), now }),
    fc.record({ jobId, epoch: fc.constantFrom(null, 5), seq: fc.constant(0), now, ...vitals }),
    fc.record({ jobId, epoch: fc.constant(5), seq: fc.integer({ min: 1, max: 9 }), fromSeq: fc.constant(1), ts: time, capturedAt: time, now, ageMs: fc.constant(0), ...measured, ...vitals }),
  );
  fc.assert(
    fc.property(any, fc.constantFrom(undefined, 10_000), (made, staleAfterMs) => {
      // What is not known is not there, as in JSON.
      const initial = JSON.parse(JSON.stringify(made)) as FirstState;
      const reduced = reduce(begin("job-1"), { is: "first", state: initial, asked: -Infinity, at: 0 });
      assert.deepEqual(initialSnapshot("job-1", initial, staleAfterMs), show(reduced, 0, staleAfterMs));
    }),
    { numRuns: 3_000 },
  );
  assert.deepEqual(initialSnapshot("job-1"), show(begin("job-1"), 0));
});

test("what was rendered is shown at once, and goes on without a change when what watches is there", async () => {
  const core = new FakeCore();
  const store = watchJob(core, "job-1", { initial: state(3, NOW) });
  const first = store.get();
  assert.deepEqual([first.status, first.position?.seq, first.at], ["live", 3, core.clock.now()]);
  assert.equal(store.get(), first);
  assert.equal(watchJob(core, "job-1", { initial: state(3, NOW) }), store, "one for all");
  assert.equal(store.get(), first);
  const seen: (number | undefined)[] = [];
  const leave = store.subscribe(() => void seen.push(store.get().position?.seq));
  core.answer = () => ok(state(4, NOW + 10));
  await settled();
  assert.deepEqual([seen.filter((seq) => seq === undefined), seen.at(-1)], [[], 4]);
  leave();
  await core.clock.pass(20_000);
  core.assertQuiet();
  assert.equal(store.get().status, "waiting");
  watchJob(core, "job-1", { initial: state(3, NOW) });
  assert.equal(store.get().status, "waiting", "the same one is not shown again");
});

test("put away, or stopped, before what watches is there: nothing is shown of it, then or later", async () => {
  for (const what of ["erase", "stop"] as const) {
    const core = new FakeCore();
    const store = watchJob(core, "job-1", { initial: state(3, NOW) });
    const seen: string[] = [];
    store.subscribe(() => void seen.push(store.get().status));
    core.page(what);
    assert.deepEqual([store.get().status, seen], ["waiting", ["waiting"]]);
    watchJob(core, "job-1", { initial: state(3, NOW) });
    assert.equal(store.get().status, "waiting");
    core.answer = () => new Promise(() => {});
    await settled();
    assert.deepEqual([store.get().status, store.get().position], ["waiting", undefined]);
  }
});

test("what was rendered ages, and goes, also where what watches is never there", async () => {
  const core = new FakeCore();
  let there = () => {};
  core.one("live", () => ({ there: undefined, load: () => new Promise((resolve) => (there = () => resolve({ jobOf: () => assert.fail("shown again") }))) }));
  const store = watchJob(core, "job-1", { initial: state(3, NOW), staleAfterMs: 4_000 });
  const seen: string[] = [];
  store.subscribe(() => void seen.push(store.get().status));
  await core.clock.pass(2_999);
  assert.deepEqual([seen, store.get().status], [[], "live"]);
  await core.clock.pass(1);
  assert.deepEqual([seen, ageMs(store.get(), core.clock.now())], [["stale"], 4_000]);
  // A newer one has its own time.
  watchJob(core, "job-1", { initial: state(4, NOW + 3_000), staleAfterMs: 4_000 });
  await core.clock.pass(9_999);
  assert.deepEqual([seen, store.get().position?.seq], [["stale", "live", "stale"], 4]);
  await core.clock.pass(1);
  assert.deepEqual([store.get().status, store.get().position], ["waiting", undefined]);
  there();
  await settled();
  assert.equal(store.get().status, "waiting");
  assert.deepEqual([core.clock.waiting, core.lives.size], [0, 0]);
});

test("who goes before what watches is there watches nothing", async () => {
  const core = new FakeCore();
  for (const leave of [watchJob(core, "job-1").subscribe(() => {}), watchTrail(core, "job-1").subscribe(() => {})]) leave();
  await core.clock.pass(10_000);
  assert.equal(core.asks.length, 0);
  core.assertQuiet();
});

test("each job has its own, and each age from which it is stale", async () => {
  const core = new FakeCore();
  core.answer = ({ path }) => ok({ ...state(3, NOW), jobId: path.split("/")[3] });
  const [one, two, soon] = [watchJob(core, "job-1"), watchJob(core, "job-2"), watchJob(core, "job-1", { staleAfterMs: 500 })];
  for (const store of [one, two, soon]) store.subscribe(() => {});
  await settled();
  assert.deepEqual([one, two, soon].map((store) => [store.get().jobId, store.get().status]), [["job-1", "live"], ["job-2", "live"], ["job-1", "stale"]]);
  assert.equal(core.listened.size, 2);
});

test("what could not be loaded is loaded again, once for all", async () => {
  const { clock } = new FakeCore();
  let tries = 0;
  const load = loaded(async () => {
    if (++tries < 3) throw new Error("no network");
    return "it";
  }, clock);
  const got: string[] = [];
  for (let count = 0; count < 3; count++) void load().then((it) => void got.push(it));
  await clock.pass(4_000);
  assert.deepEqual([tries, got], [1, []]);
  await clock.pass(10_000);
  assert.deepEqual([tries, got], [3, ["it", "it", "it"]]);
  assert.deepEqual([await load(), tries], ["it", 3]);
});

test("what is no job id is not yours, and nothing is asked about it", async () => {
  for (const jobId of ["not one", "..", "../jobs", "", "a?b"]) {
    const core = new FakeCore();
    const job = watchJob(core, jobId);
    const leave = job.subscribe(() => {});
    watchTrail(core, jobId).subscribe(() => {})();
    await settled();
    core.page("refresh");
    await core.clock.pass(120_000);
    assert.deepEqual([job.get().status, core.asks.length, core.sources.length, core.listened.size], ["not_yours", 0, 0, 0]);
    leave();
    await core.clock.pass(5_000);
    core.assertQuiet();
  }
});
