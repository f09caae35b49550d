// How many tests passed and failed, by the test runners' own account.

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Reads the summaries of `cargo test`: one a test binary and one a crate's doc tests.
 * @param {string} output
 * @returns {Counts}
 */
export function cargoCounts(output) {
  const summaries = output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm);
  return sum([...summaries].map(([, passed, failed, skipped]) => ({ passed: Number(passed), failed: Number(failed), skipped: Number(skipped) })));
}

/**
 * Reads the summary of `node --test` in TAP, which stands at its end. A cancelled test did not pass, so it failed.
 * @param {string} tap
 * @returns {Counts}
 */
export function nodeCounts(tap) {
  const last = (/** @type {string} */ name) => Number([...tap.matchAll(new RegExp(`^# ${name} (\\d+)$`, "gm"))].at(-1)?.[1] ?? 0);
  return { passed: last("pass"), failed: last("fail") + last("cancelled"), skipped: last("skipped") + last("todo") };
}

/**
 * The counts of a suite that ended with an exit code: one that failed to run, or that ran no test at all, has failed
 * however few tests say so.
 * @param {Counts} counts
 * @param {number} exitCode
 * @returns {Counts}
 */
export function honest(counts, exitCode) {
  const silent = counts.failed === 0 && (exitCode !== 0 || counts.passed === 0);
  return silent ? { ...counts, failed: 1 } : counts;
}

/**
 * @param {Counts[]} all
 * @returns {Counts}
 */
export function sum(all) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of all) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  return total;
}
