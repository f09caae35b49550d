// What is shared between states, and what is missing: against a map and a set.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ask, begin, points, reduce, type State } from "../src/view/index.ts";
import { added, byTime, EMPTY, KEPT, type Trail } from "../src/view/trail.ts";
import type { TrailPoint } from "../src/view/types.ts";
import { E, first, firstAt, JOB, moved } from "./support/fixes.ts";

const point = (seq: number, capturedAt = seq): TrailPoint => ({ seq, capturedAt, lat: seq, lng: capturedAt });

test("a trail has each point once, as it came first, whichever of its values goes on", () => {
  const batches = fc.array(fc.tuple(fc.nat(3), fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat(50)), { maxLength: 6 })), { maxLength: 30 });
  fc.assert(
    fc.property(batches, (steps) => {
      // Each goes on from one of the last four values.
      const values: { trail: Trail; model: Map<number, TrailPoint> }[] = [{ trail: EMPTY, model: new Map() }];
      for (const [back, pairs] of steps) {
        const from = values[Math.max(0, values.length - 1 - back)]!;
        const batch = [...new Map(pairs.map(([seq, at]) => [seq, point(seq, at)])).values()].sort((a, b) => a.seq - b.seq);
        const model = new Map(from.model);
        for (const one of batch) if (!model.has(one.seq)) model.set(one.seq, one);
        const trail = added(from.trail, batch);
        if (model.size === from.model.size) assert.equal(trail, from.trail);
        values.push({ trail, model });
      }
      for (const { trail, model } of values) {
        assert.deepEqual(byTime(trail), [...model.values()].sort((a, b) => a.capturedAt - b.capturedAt || a.seq - b.seq));
        assert.equal(byTime(trail), byTime(trail));
      }
    }),
  );
});

test("the newest 20,000 points are kept, and what is older is not asked for", () => {
  assert.equal(KEPT, 20_000);
  let state: State = reduce(reduce(begin(JOB), first({ epoch: E, seq: 0 }, 0)), { is: "want_trail", at: 0 });
  for (let seq = 2; seq <= 50_000; seq++) state = reduce(state, moved(seq, {}, 1));
  assert.deepEqual([points(state).length, points(state)[0]!.seq, points(state).at(-1)!.seq], [20_000, 30_001, 50_000]);
  assert.ok(state.trail.log.length < 2 * KEPT);
  assert.deepEqual(ask(state), { epoch: E, seq: 50_000 });
  const late = reduce(reduce(begin(JOB), firstAt(500_000)), { is: "want_trail", at: 0 });
  assert.deepEqual(ask(late), { epoch: E, seq: 480_000 });
});

test("what is missing is what has not been covered", () => {
  const spans = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(6)), { maxLength: 25 });
  fc.assert(
    fc.property(spans, (steps) => {
      let state: State = reduce(reduce(begin(JOB), first({ epoch: E, seq: 0 }, 0)), { is: "want_trail", at: 0 });
      // What is before a hole that is asked for is there; the page closes the tail, so that only holes are left.
      state = reduce(state, { is: "trail", after: { epoch: E, seq: 0 }, page: { jobId: JOB, epoch: E, published: null, setAside: [], locations: [], next: null }, asked: 1, at: 1 });
      const covered = new Set<number>();
      let top = 0;
      for (const [from, more] of steps) {
        const to = from + more;
        state = reduce(state, moved(to, { fromSeq: from }, 2));
        for (let seq = from; seq <= to; seq++) covered.add(seq);
        top = Math.max(top, to);
        const missing = Array.from({ length: top }, (_, n) => n + 1).filter((seq) => !covered.has(seq));
        assert.deepEqual(state.holes.flatMap((hole) => Array.from({ length: hole.to - hole.from + 1 }, (_, n) => hole.from + n)), missing);
        assert.deepEqual(ask(state), missing.length > 0 ? { epoch: E, seq: missing[0]! - 1 } : undefined);
      }
    }),
  );
});
