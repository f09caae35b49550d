import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromJobId, isJobId, toJobId } from "../src/ids.ts";

const JOB_ID = /^(?!\.\.?$)[A-Za-z0-9._-]{1,64}$/;

// Any string of UTF-16 code units, halves of pairs too.
const units = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 10 }).map((codes) => String.fromCharCode(...codes));

test("what is a job id", () => {
  fc.assert(
    fc.property(fc.oneof(units, fc.string({ unit: fc.constantFrom(..."._-0aZ /\n"), maxLength: 3 }), fc.string({ unit: fc.constant("a"), minLength: 60, maxLength: 70 })), (id) => {
      assert.equal(isJobId(id), JOB_ID.test(id));
    }),
    { numRuns: 5_000 },
  );
});

test("every string has a job id of its own, and comes back from it", () => {
  fc.assert(
    fc.property(fc.oneof(units, fc.string({ unit: "grapheme", maxLength: 8 }), fc.string({ unit: fc.constantFrom(..."._-0123abcABC /"), maxLength: 10 })), (name) => {
      fc.pre(name.length <= 10);
      const jobId = toJobId(name);
      assert.match(jobId, JOB_ID);
      assert.equal(fromJobId(jobId), name);
    }),
    { numRuns: 20_000 },
  );
});

test("an id that is one, and has no dot, stays as it is", () => {
  fc.assert(fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (id) => toJobId(id) === id && fromJobId(id) === id));
});

test("what becomes too long is refused", () => {
  assert.equal(toJobId("a".repeat(64)), "a".repeat(64));
  assert.throws(() => toJobId("a".repeat(65)), RangeError);
  assert.throws(() => toJobId(" ".repeat(22)), RangeError);
});

test("by name", () => {
  assert.deepEqual(["", ".", "..", "Auftrag 7/ä", "№ 5", "a.b"].map(toJobId), ["._", ".2e", ".2e.2e", "Auftrag.207.2f.e4", ".-2116.205", "a.2eb"]);
});

test("no other id is taken for one that was made here", () => {
  for (const id of ["", ".", "..", "a.b", "a.2E", ".41", ".-0041", "a b", "a._", "."]) assert.throws(() => fromJobId(id), RangeError, id);
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Ga-g0-9._-]{1,64}$/), (id) => {
      let name: string;
      try {
        name = fromJobId(id);
      } catch {
        return;
      }
      assert.equal(toJobId(name), id);
    }),
    { numRuns: 5_000 },
  );
});
