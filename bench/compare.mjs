// Two runs against each other. Only ratios are: what a machine makes of them in µs says nothing about another one.

import { BATCHED, OURS } from "./sides/sides.mjs";

/** @import { Line, Report } from "./report.mjs" */

/** So many times what it was is too much. */
export const WORSE = 1.2;

/** Below this a figure is so small that its ratio says nothing: requests to Ably a fix. */
const FEW_PUBLISHES = 0.05;

/** @typedef {{ scenario: string, side: string, figure: string, change: number }} Change how many times as bad it is as it was */

/**
 * What has changed in the builds of ours, against the peers that were measured beside them.
 * @param {Report} before
 * @param {Report} after
 * @returns {Change[]}
 */
export function changes(before, after) {
  const found = [];
  for (const [scenario, sides] of Object.entries(after.scenarios)) {
    for (const side of OURS) {
      const [was, is] = [before.scenarios[scenario]?.[side], sides[side]];
      if (was === undefined || is === undefined) continue;
      const publishes = BATCHED.ours === side ? pacedChange(before.scenarios[scenario], sides) : publishesChange(was, is);
      const all = { ...changesOf(was, is), ...(publishes !== undefined && { publishes }) };
      for (const [figure, change] of Object.entries(all)) found.push({ scenario, side, figure, change });
    }
  }
  return found;
}

/**
 * What was measured of ours, and has no committed figures to be compared with.
 * @param {Report} before
 * @param {Report} after
 */
export function newcomers(before, after) {
  return Object.entries(after.scenarios).flatMap(([scenario, sides]) =>
    OURS.filter((side) => sides[side] !== undefined && before.scenarios[scenario]?.[side] === undefined).map((side) => ({ scenario, side })),
  );
}

/**
 * Latencies are not among them: the tail of a run of minutes is noise to a fifth and more.
 * @param {Line} was
 * @param {Line} is
 */
function changesOf(was, is) {
  /** @type {Record<string, number>} */
  const found = {};
  if (was.cpu !== undefined && is.cpu !== undefined) found.cpu = was.cpu.median / is.cpu.median;
  for (const time of ["ms", "firstMs"]) {
    const [before, after] = [was.times[time], is.times[time]];
    if (before !== undefined && after !== undefined) found[time] = after.median / before.median;
  }
  return found;
}

/**
 * @param {Line} was
 * @param {Line} is
 */
function publishesChange(was, is) {
  const [few, now] = [was.figures.publishes, is.figures.publishes];
  return few === undefined || now === undefined ? undefined : Math.max(now, FEW_PUBLISHES) / Math.max(few, FEW_PUBLISHES);
}

/**
 * Batches leave at a pace, so how many fixes share one depends on how fast the machine is: the peer beside it, that keeps the same pace, says how
 * fast.
 * @param {Record<string, Line> | undefined} before
 * @param {Record<string, Line>} after
 */
function pacedChange(before, after) {
  const share = (/** @type {Record<string, Line> | undefined} */ sides) =>
    Number(sides?.[BATCHED.ours]?.figures.publishes) / Number(sides?.[BATCHED.peer]?.figures.publishes);
  const change = share(after) / share(before);
  return Number.isNaN(change) ? undefined : change;
}
