// The reducer's rules, one by one. `games.test.ts` plays them against each other.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ageMs, ask, begin, initialSnapshot, points, reduce, show, type State, staleAt } from "../src/view/index.ts";
import type { Input } from "../src/view/types.ts";
import type { FirstState, TrailPage } from "../src/wire.ts";
import { E, event, first, firstAt, fix, JOB, moved, page, T, trail } from "./support/fixes.ts";

const run = (...inputs: Input[]): State => inputs.reduce(reduce, begin(JOB));
const status = (state: State, now = 0) => show(state, now).status;
const seq = (state: State, now = 0) => show(state, now).position?.seq;
const seqs = (state: State) => points(state).map((point) => point.seq);
const want: Input = { is: "want_trail", at: 0 };

test("nothing is shown before a first state, and then what came meanwhile", () => {
  const before = run(moved(7));
  assert.equal(status(before), "waiting");
  assert.equal(seq(before), undefined);
  const after = reduce(before, firstAt(5));
  assert.equal(seq(after), 7);
  assert.equal(status(reduce(begin(JOB), first({ epoch: null, seq: 0 }))), "none");
});

test("a double, an older fix and another job's change nothing: the same value", () => {
  const state = run(firstAt(5), moved(6));
  for (const input of [moved(6), moved(5), moved(7, { jobId: "job-2" }), moved(9, { epoch: E - 1 }), firstAt(5)]) {
    assert.equal(seq(reduce(state, input)), 6);
  }
  for (const input of [moved(6), moved(5), moved(7, { jobId: "job-2" }), moved(9, { epoch: E - 1 })]) assert.equal(reduce(state, input), state);
});

test("an old state keeps its meaning, whichever goes on", () => {
  const old = run(want, first({ epoch: E, seq: 0 }), moved(1));
  const one = reduce(old, moved(2));
  const other = reduce(reduce(old, moved(2, { lat: 50 })), moved(3));
  assert.deepEqual(seqs(old), [1]);
  assert.deepEqual(seqs(one), [1, 2]);
  assert.deepEqual(points(one)[1]!.lat, 2);
  assert.deepEqual(seqs(other), [1, 2, 3]);
  assert.deepEqual(points(other)[1]!.lat, 50);
});

test("a backfill never moves the marker, and its head does by headSeq", () => {
  const state = run(want, first({ epoch: E, seq: 0 }), moved(3, { fromSeq: 1, headSeq: 2, backfill: [[1, T + 1, 5, 5], [3, T, 6, 6]] }));
  assert.equal(seq(state), 2);
  assert.deepEqual(seqs(state), [3, 1, 2]);
  const later = reduce(state, { is: "message", name: "location.backfilled", data: { jobId: JOB, epoch: E, fromSeq: 4, seq: 5, ts: T + 9_000, backfill: [[4, T, 1, 1], [5, T, 1, 1]] }, at: 0 });
  assert.equal(seq(later), 2);
  assert.deepEqual(seqs(later), [3, 4, 5, 1, 2]);
  assert.equal(ask(reduce(later, trail(5, [], null, 1))), undefined);
});

test("a new epoch erases what there was, and an older one is not let in", () => {
  const state = run(want, firstAt(5), moved(6), event("job.reassigned", { epoch: E + 1 }));
  assert.equal(status(state), "reassigned");
  assert.deepEqual(points(state), []);
  assert.equal(reduce(state, moved(9)), state);
  const next = reduce(state, moved(1, { epoch: E + 1 }));
  assert.deepEqual([show(next, 0).epoch, seq(next)], [E + 1, 1]);
  assert.equal(status(run(firstAt(5), first({ epoch: E + 1, seq: 0, now: T + 90_000 }, 5))), "reassigned");
  assert.equal(status(run(firstAt(5), { is: "trail", after: { epoch: E, seq: 4 }, page: { ...page([], null), epoch: E + 1 } as TrailPage, asked: 1, at: 1 })), "reassigned");
});

test("one request for many holes, from the lowest on", () => {
  const state = run(want, first({ epoch: E, seq: 0 }), moved(1, {}, 1), moved(4, {}, 1), moved(7, {}, 1));
  assert.deepEqual(ask(state), { epoch: E, seq: 1 });
  const filled = reduce(state, trail(1, [2, 3, 4, 5, 6, 7], null, 2));
  assert.equal(ask(filled), undefined);
  assert.deepEqual(seqs(filled), [1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(ask(reduce(state, trail(1, [2, 3, 4], 4, 2))), { epoch: E, seq: 4 });
});

test("a page covers what it leaves out, and the last one all that was known when it was asked for", () => {
  const state = run(want, first({ epoch: E, seq: 0 }), moved(1, {}, 1), moved(9, {}, 5));
  assert.deepEqual(ask(reduce(state, trail(1, [4], 4, 6))), { epoch: E, seq: 4 });
  assert.equal(ask(reduce(state, trail(1, [], null, 6))), undefined);
  assert.deepEqual(ask(reduce(state, trail(1, [], null, 4))), { epoch: E, seq: 1 });
});

test("an event tells of fixes that have not come", () => {
  const state = run(firstAt(5), event("driver.silent", { afterSeq: 7, since: T }, 1));
  assert.deepEqual(ask(state), { epoch: E, seq: 5 });
  const filled = reduce(state, trail(5, [6, 7], null, 2));
  assert.equal(seq(filled), 7);
  assert.equal(seq(reduce(state, trail(5, [6, 7], null, 2, { late: true }))), 5);
});

test("where no trail is wanted, only what may move the marker is asked for; then everything", () => {
  const state = run(firstAt(5), moved(9, {}, 1));
  assert.equal(ask(state), undefined);
  assert.deepEqual(points(state), []);
  // What a first state tells is newer than what was known to be missing when it was asked for.
  const missing = run(event("job.updated", { afterSeq: 9 }, 1));
  assert.equal(ask(reduce(missing, firstAt(5, {}, 2))), undefined);
  assert.deepEqual(ask(reduce(missing, firstAt(5, {}, 1))), { epoch: E, seq: 5 });
  const wanted = reduce(state, { is: "want_trail", at: 2 });
  assert.deepEqual(ask(wanted), { epoch: E, seq: 0 });
});

test("silence is told by the newest word, in any order", () => {
  const silent = event("driver.silent", { afterSeq: 5, since: T + 5_000, ts: T + 66_000 });
  const heard = event("driver.heard", { afterSeq: 5, since: T + 5_000, ts: T + 70_000 });
  const fixed = moved(6, { ts: T + 70_000 });
  assert.equal(show(run(firstAt(5), silent), 0).silentSince, T + 5_000);
  assert.equal(status(run(firstAt(5), silent)), "silent");
  const atOnce = event("driver.heard", { afterSeq: 5, since: T + 5_000, ts: T + 66_000 });
  for (const order of [[silent, heard], [heard, silent], [silent, fixed], [fixed, silent], [silent, atOnce], [atOnce, silent]]) {
    assert.equal(show(run(firstAt(5), ...order), 0).silentSince, undefined);
  }
  assert.equal(status(run(firstAt(5, { now: T + 80_000, silentSince: T + 70_000 }), silent, heard)), "silent");
});

test("that the vehicle has arrived is told by the newest word, in any order", () => {
  const arrived = event("driver.arrived", { afterSeq: 5, ts: T + 60_000 });
  const arrivedAt = (...inputs: Input[]) => show(run(...inputs), 0).arrivedAt;
  const known = firstAt(5, { now: T + 70_000, arrivedAt: T + 59_000 });
  const before = firstAt(5, { now: T + 50_000 });
  const together = firstAt(5, { now: T + 60_000 });
  // Of somebody who was away, and may not know of it any more; or the place is another.
  const gone = firstAt(5, { now: T + 70_000 });
  for (const [input, at] of [[known, T + 59_000], [before, T + 60_000], [together, T + 60_000], [gone, undefined]] as const) {
    assert.equal(arrivedAt(firstAt(5), arrived, input), at);
    assert.equal(arrivedAt(firstAt(5), input, arrived), at);
  }
  assert.equal(arrivedAt(firstAt(5), known, firstAt(6, { now: T + 80_000 })), undefined);
  assert.equal(arrivedAt(firstAt(5), known, event("driver.arrived", { afterSeq: 5, ts: T + 60_000 }), event("job.reassigned", { epoch: E + 1 })), undefined);
});

test("what a phone said of itself is over with its next fix", () => {
  const state = run(firstAt(5, { heartbeat: "parked", fixMissingSince: T, lastHeard: T + 5_010 }));
  assert.deepEqual([show(state, 0).heartbeat, show(state, 0).fixMissingSince, show(state, 0).lastHeard], ["parked", T, T + 5_010]);
  const next = reduce(state, moved(6));
  assert.deepEqual([show(next, 0).heartbeat, show(next, 0).fixMissingSince, show(next, 0).lastHeard], [undefined, undefined, T + 6_000]);
});

test("ages go by the service's clock: the shortest way wins, what arrives is a bound, and no age is negative", () => {
  const slow = run(firstAt(5, {}, 0, 2_000));
  // Said between 0 and 2,000: at 1,000, as far as is known.
  assert.equal(show(slow, 2_000).ageMs, 1_150);
  const fast = reduce(slow, firstAt(5, { now: T + 7_550 }, 2_100, 2_200));
  assert.equal(show(fast, 2_200).ageMs, 7_550 + 50 - 4_900);
  assert.equal(show(reduce(fast, firstAt(5, { now: T + 9_000 }, 3_000, 5_000)), 2_200).ageMs, 2_700);
  const bound = reduce(fast, moved(6, { ts: T + 20_000, capturedAt: T + 20_000 }, 2_300));
  assert.equal(show(bound, 2_300).ageMs, 0);
  assert.equal(show(bound, 0).ageMs, 0);
  const snapshot = show(bound, 2_300);
  assert.deepEqual([ageMs(snapshot, 3_300), ageMs(snapshot, 0)], [1_000, 0]);
});

test("a clock that has stood still is found out", () => {
  const state = reduce(run(firstAt(5, {}, 100, 101)), firstAt(5, { now: T + 3_600_000 }, 200, 900));
  assert.equal(show(state, 900).ageMs, 3_600_000 + 350 - 4_900);
});

test("a position is stale by time alone", () => {
  const state = run(firstAt(5));
  assert.equal(staleAt(state), 29_850);
  assert.deepEqual([status(state, 29_849), status(state, 29_850)], ["live", "stale"]);
  assert.equal(staleAt(state, 1_000), 850);
  assert.equal(staleAt(run(first({ epoch: null, seq: 0 }))), undefined);
});

test("what is erased comes again only by a first state that was asked for afterwards", () => {
  const state = run(want, firstAt(5), { is: "erase", at: 10 }, moved(6, {}, 11), firstAt(6, {}, 9, 12));
  assert.equal(status(state), "waiting");
  assert.deepEqual(points(state), []);
  assert.equal(ask(state), undefined);
  assert.equal(reduce(state, trail(0, [1, 2, 3], null, 9)), state);
  const again = reduce(state, firstAt(5, { now: T + 5_100 }, 10, 13));
  assert.equal(seq(again), 6);
  assert.deepEqual(ask(again), { epoch: E, seq: 0 });
});

test("who was refused sees nothing, until they are let in again; an end is for ever", () => {
  const refused = run(firstAt(5), { is: "refused", why: "not_yours", asked: 10, at: 10 });
  assert.equal(status(refused), "not_yours");
  assert.equal(reduce(refused, moved(6, {}, 11)), refused);
  assert.equal(status(reduce(refused, firstAt(6, {}, 9, 12))), "not_yours");
  assert.equal(seq(reduce(refused, firstAt(6, {}, 11, 12))), 6);
  assert.equal(status(reduce(refused, first({ withheld: true, gate: "from", now: T + 9_000 }, 9, 12))), "not_yours");
  // A page that is put away meanwhile changes nothing of that.
  const erased = reduce(refused, { is: "erase", at: 20 });
  assert.equal(reduce(erased, moved(6, {}, 21)), erased);
  assert.equal(status(reduce(erased, firstAt(6, {}, 19, 22))), "not_yours");
  const ended = run(firstAt(5), event("job.closed", { reason: "done", afterSeq: 5 }));
  assert.deepEqual([status(ended), show(ended, 0).reason, seq(ended)], ["ended", "done", undefined]);
  for (const input of [moved(6), firstAt(6, {}, 99), { is: "erase", at: 99 }, { is: "refused", why: "not_yours", asked: 99, at: 99 }, { is: "opened", at: 99 }] as Input[]) {
    assert.equal(status(reduce(ended, input)), "ended");
    assert.equal(seq(reduce(ended, input)), undefined);
  }
  const told = run({ is: "refused", why: "ended", asked: 1, at: 1 }, event("job.closed", { reason: "failed" }));
  assert.equal(show(told, 0).reason, "failed");
});

test("a refusal that was asked for before the first state that lets the viewer look changes nothing", () => {
  const state = run({ is: "refused", why: "not_yours", asked: 1, at: 2 }, firstAt(5, {}, 5, 6));
  assert.equal(reduce(state, { is: "refused", why: "not_yours", asked: 4, at: 9 }), state);
  assert.equal(status(reduce(state, { is: "refused", why: "not_yours", asked: 5, at: 9 })), "not_yours");
  assert.equal(status(reduce(state, { is: "refused", why: "ended", asked: 4, at: 9 })), "ended");
});

test("where the trail is wanted, that of a new epoch is asked for from its beginning, whoever tells of it", () => {
  const before = run(want, firstAt(5), trail(0, [1, 2, 3, 4], null, 1));
  assert.equal(ask(before), undefined);
  const tells: Input[] = [
    event("job.reassigned", { epoch: E + 1 }, 9),
    moved(1, { epoch: E + 1 }, 9),
    { is: "trail", after: { epoch: E, seq: 5 }, page: { ...page([6], 6), epoch: E + 1 } as TrailPage, asked: 2, at: 9 },
  ];
  for (const tell of tells) assert.equal(ask(reduce(before, tell))?.epoch, E + 1);
  assert.equal(ask(reduce(run(firstAt(5)), tells[0]!)), undefined);
});

test("cut off is offline, whether or not there is a position; what hides is said all the same", () => {
  const cut: Input = { is: "link", up: false, at: 9 };
  const offline = [first({ epoch: null, seq: 0 }), firstAt(5)].map((input) => status(run(input, cut)));
  assert.deepEqual([...offline, status(run(firstAt(5), event("job.reassigned", { epoch: E + 1 }), cut))], ["offline", "offline", "offline"]);
  const hides: [Input, string][] = [
    [{ is: "erase", at: 9 }, "waiting"],
    [{ is: "refused", why: "not_yours", asked: 9, at: 9 }, "not_yours"],
    [{ is: "refused", why: "ended", asked: 9, at: 9 }, "ended"],
    [first({ withheld: true, gate: "from", now: T + 9_000 }, 9), "withheld"],
  ];
  for (const [input, hidden] of hides) assert.equal(status(run(firstAt(5), input, cut)), hidden);
});

test("a gate erases, and what was accepted before it opened does not come back", () => {
  const shown = run(want, firstAt(5));
  const withheld = reduce(shown, first({ withheld: true, gate: "from", opensAt: T + 99_000, now: T + 8_000 }, 10));
  assert.deepEqual([status(withheld), seq(withheld), show(withheld, 0).gate, show(withheld, 0).opensAt], ["withheld", undefined, "from", T + 99_000]);
  assert.deepEqual(points(withheld), []);
  assert.equal(reduce(withheld, moved(9)), withheld);
  for (const now of [T + 7_999, T + 8_000]) assert.equal(status(reduce(withheld, firstAt(5, { now }, 5, 12))), "withheld");
  // Where nobody says that it has opened.
  assert.equal(status(reduce(withheld, first({ epoch: E, seq: 0, now: T + 9_000 }, 15))), "none");
  const opened = reduce(withheld, { is: "opened", at: 20 });
  assert.equal(status(opened), "waiting");
  assert.equal(status(reduce(opened, firstAt(5, {}, 5, 21))), "waiting");
  assert.equal(reduce(opened, moved(7)), opened);
  const again = reduce(opened, first({ epoch: E, seq: 0, now: T + 9_000 }, 15, 22));
  assert.deepEqual([status(again), show(again, 0).gate], ["none", undefined]);
  assert.equal(seq(reduce(again, moved(10))), 10);
  // A gate that was closed before, and is told late.
  assert.equal(seq(reduce(firstLate(), first({ withheld: true, gate: "from", now: T }, 0, 5))), 5);
});
const firstLate = () => run(firstAt(5, {}, 1, 4));

test("a first state that is late takes nothing back", () => {
  const state = run(firstAt(5), moved(6), first({ epoch: E, seq: 0, now: T + 1 }, 0, 3), first({ epoch: null, seq: 0, now: T + 1 }, 0, 3));
  assert.equal(seq(state), 6);
  assert.equal(seq(run(moved(1, { epoch: E + 1 }), firstAt(5))), 1);
});

test("what a newer first state has no more is not for this viewer any more", () => {
  // Removed and added again, or behind a gate, while this device was cut off.
  const state = run(want, firstAt(5), moved(6), first({ epoch: E, seq: 0, now: T + 6_001 }, 5));
  assert.deepEqual([status(state), points(state), ask(state)], ["none", [], { epoch: E, seq: 0 }]);
  assert.equal(seq(run(firstAt(5), moved(6), first({ epoch: E, seq: 0, now: T + 6_000 }, 5))), 6);
});

test("cut off is not silent", () => {
  const state = run(firstAt(5), { is: "link", up: false, at: 1 });
  assert.deepEqual([status(state), seq(state)], ["offline", 5]);
  assert.equal(status(reduce(state, { is: "link", up: true, at: 2 })), "live");
});

test("what is malformed changes nothing", () => {
  const state = run(want, firstAt(5));
  const broken = [
    undefined,
    null,
    5,
    "x",
    [],
    {},
    ...[{ seq: "6" }, { epoch: null }, { lat: "1" }, { ts: NaN }, { fromSeq: 7 }, { headSeq: 9 }, { jobId: 1 }].map((more) => fix(6, more)),
    fix(1, { epoch: E + 1, lat: null }),
  ];
  for (const data of broken) assert.equal(reduce(state, { is: "message", name: "location.updated", data, at: 0 }), state);
  for (const data of [undefined, null, 5, {}, { jobId: JOB }, { jobId: JOB, epoch: E, ts: T, afterSeq: "9" }]) {
    for (const name of ["job.closed", "driver.silent", "x"]) if (name !== "job.closed" || !(data as { jobId?: string })?.jobId) assert.equal(reduce(state, { is: "message", name, data, at: 0 }), state);
  }
  for (const bad of [null, {}, { jobId: JOB }, { ...fix(6), now: "x" }, { ...fix(6), now: T, lat: null }, { jobId: JOB, epoch: "x", seq: 0, now: T }]) {
    assert.equal(reduce(state, { is: "first", state: bad as unknown as FirstState, asked: 9, at: 9 }), state);
  }
  assert.deepEqual(seqs(reduce(state, moved(6, { fromSeq: 6, backfill: [[1], "x", null, [1, 2, "3", 4]] }))), [5, 6]);
  assert.deepEqual(seqs(reduce(state, moved(6, { backfill: {} }))), [5, 6]);
});

test("what a server has rendered needs no clock", () => {
  const initial = { ...fix(5), now: T + 5_050, ageMs: 150 };
  const snapshot = initialSnapshot(JOB, initial);
  assert.deepEqual([snapshot.status, snapshot.position?.seq, snapshot.ageMs, snapshot.at], ["live", 5, 150, 0]);
  assert.equal(initialSnapshot(JOB, { ...initial, now: T + 50_000 }).status, "stale");
  assert.equal(initialSnapshot("job-2", initial).status, "waiting");
  assert.equal(initialSnapshot(JOB).status, "waiting");
});

test("what a server has rendered is what the reducer makes of it", () => {
  const some = <T>(what: fc.Arbitrary<T>) => fc.option(what, { nil: undefined });
  const past = some(fc.integer({ min: 0, max: 200_000 }).map((ago) => T - ago));
  const vitals = fc.record({ lastHeard: past, silentSince: past, fixMissingSince: past, arrivedAt: past, heartbeat: some(fc.constantFrom("parked", "no_fix")) });
  const fixed = fc.record({ seq: fc.integer({ min: 1, max: 9 }), ts: fc.integer({ min: T - 90_000, max: T - 1 }), speed: some(fc.nat()), clock: some(fc.constant("ahead")) });
  const shown = fc.tuple(vitals, some(fixed), some(fc.constant(E))).map(([vitals, own, epoch]) => {
    const state = own ? { ...fix(own.seq), ...own, capturedAt: own.ts - 50, ageMs: 1, ...vitals } : { jobId: JOB, epoch: epoch ?? null, seq: 0, ...vitals };
    // What is not there is left out.
    return JSON.parse(JSON.stringify({ ...state, now: T }));
  });
  const withheld = fc.constantFrom({ jobId: JOB, withheld: true, gate: "from", opensAt: T + 5, now: T }, { jobId: JOB, withheld: true, gate: "within", now: T });
  fc.assert(
    fc.property(fc.oneof({ weight: 4, arbitrary: shown }, withheld), fc.constantFrom(JOB, "job-2"), some(fc.integer({ min: 1, max: 90_000 })), (state, jobId, staleAfterMs) => {
      const initial = state as FirstState;
      const reduced = reduce(begin(jobId), { is: "first", state: initial, asked: -Infinity, at: 0 });
      assert.deepEqual(initialSnapshot(jobId, initial, staleAfterMs), show(reduced, 0, staleAfterMs));
    }),
  );
});
