import assert from "node:assert/strict";
import { test } from "node:test";
import { cargoCounts, honest, nodeCounts, sum } from "../../scripts/testing/counts.mjs";

const CARGO = `
     Running unittests src/lib.rs (target/debug/deps/ably-1)

running 3 tests
test key::tests::test result: ok. 900 passed; 900 failed; 900 ignored; ... ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/rest.rs (target/debug/deps/rest-1)
test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

   Doc-tests ably
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
`;

test("cargo's counts are added up over its binaries", () => {
  assert.deepEqual(cargoCounts(CARGO), { passed: 8, failed: 2, skipped: 1 });
});

test("Node's counts stand at the end of its TAP, and a cancelled test failed", () => {
  const tap = "# pass 99\nok 1 - x\n1..1\n# tests 10\n# suites 0\n# pass 4\n# fail 1\n# cancelled 2\n# skipped 2\n# todo 1\n# duration_ms 9\n";
  assert.deepEqual(nodeCounts(tap), { passed: 4, failed: 3, skipped: 3 });
});

test("a suite that did not run has failed, whatever it counted", () => {
  const green = { passed: 4, failed: 0, skipped: 0 };
  assert.deepEqual(honest(green, 0), green);
  assert.deepEqual(honest(green, 101), { ...green, failed: 1 });
  assert.deepEqual(honest(cargoCounts("error: could not compile"), 101), { passed: 0, failed: 1, skipped: 0 });
  assert.deepEqual(honest(nodeCounts(""), 0), { passed: 0, failed: 1, skipped: 0 });
  assert.deepEqual(honest({ passed: 4, failed: 2, skipped: 0 }, 1), { passed: 4, failed: 2, skipped: 0 });
});

test("the total is the sum of the suites", () => {
  const suites = [{ passed: 1, failed: 0, skipped: 2 }, { passed: 3, failed: 4, skipped: 0 }];
  assert.deepEqual(sum(suites), { passed: 4, failed: 4, skipped: 2 });
});
