// What the seed decides.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Random } from "./random.ts";
import { type Options, phonesOf, type Round, rounds, WRONG_KEY } from "./schedule.ts";

const OPTIONS: Options = { publishing: "direct", seed: 7, kills: 200, faults: 1_000, jobs: 6, wrongKeyMs: 30_000 };

function planned(seed: number, count = OPTIONS.kills, publishing = OPTIONS.publishing): Round[] {
  const all = rounds(new Random(String(seed)), { ...OPTIONS, seed, publishing });
  return Array.from({ length: count }, () => all.next().value);
}

describe("a seed", () => {
  test("makes the same rounds again, and another one others", () => {
    assert.deepEqual(planned(7), planned(7));
    assert.notDeepEqual(planned(7), planned(8));
  });

  test("draws each purpose by itself", () => {
    const [one, other] = [new Random("7"), new Random("7")];
    other.number();
    assert.equal(one.of("posts").number(), other.of("posts").number());
    assert.notEqual(one.of("posts").number(), one.of("faults").number());
  });

  test("spreads what it draws", () => {
    const random = new Random("7");
    const drawn = Array.from({ length: 10_000 }, () => random.between(1, 10));
    for (let value = 1; value <= 10; value += 1) {
      const times = drawn.filter((own) => own === value).length;
      assert.ok(times > 850 && times < 1_150, `${value}: ${times}`);
    }
    const heads = Array.from({ length: 10_000 }, () => random.weighted([{ weight: 3 }, { weight: 1, isRare: true }])).filter((own) => !("isRare" in own));
    assert.ok(heads.length > 7_300 && heads.length < 7_700, String(heads.length));
  });
});

describe("a long run", () => {
  const all = planned(7);

  test("plans more faults than are asked for, of every kind", () => {
    const faults = all.flatMap(({ faults }) => faults);
    assert.ok(faults.length > OPTIONS.faults);
    assert.equal(new Set(faults.map(({ kind }) => kind)).size, 9);
    assert.equal(faults.filter(({ kind }) => kind === WRONG_KEY).length, 2);
  });

  test("posts by every phone and in every way, and lets clocks jump by an hour to either side", () => {
    const posts = all.flatMap(({ posts }) => posts);
    const different = (of: (post: (typeof posts)[number]) => unknown) => new Set(posts.map(of)).size;
    assert.equal(different(({ phone }) => phone), phonesOf(OPTIONS.jobs).length);
    assert.equal(different(({ naming }) => naming), 4);
    assert.deepEqual(new Set(posts.map(({ jump }) => jump)), new Set([undefined, -1, 0, 1]));
    for (const name of ["repeats", "impossible", "sentAt", "twice"] as const) assert.equal(different((post) => post[name]), 2, name);
  });

  test("has rounds of every kind, and each in the order of its times", () => {
    const silent = all.filter(({ silent }) => silent);
    assert.ok(silent.length >= 40 && silent.every(({ faults }) => faults.length === 1));
    assert.ok(all.some(({ killAgain }) => killAgain !== undefined));
    for (const { posts, faults } of all) {
      for (const times of [posts, faults]) assert.deepEqual(times.map(({ at }) => at), times.map(({ at }) => at).sort((a, b) => a - b));
    }
  });
});

test("batches have faults of their own besides, of which none sets a message aside", () => {
  const faults = planned(7, OPTIONS.kills, "batched").flatMap(({ faults }) => faults);
  assert.equal(new Set(faults.map(({ kind }) => kind)).size, 14);
  const parts = faults.filter(({ body }) => body.transport === "rest-part");
  assert.deepEqual(new Set(parts.map(({ body }) => body.status)), new Set([429, 500]));
  assert.equal(faults.filter(({ body }) => body.transport === undefined && Number(body.code) < 40100).length, 0);
});

test("a short run has a wrong key and silence too", () => {
  const all = rounds(new Random("1"), { ...OPTIONS, kills: 6, faults: 50 });
  const first = Array.from({ length: 6 }, () => all.next().value);
  assert.ok(first.some(({ silent }) => silent));
  assert.ok(first.some(({ faults }) => faults.some(({ kind }) => kind === WRONG_KEY)));
});
