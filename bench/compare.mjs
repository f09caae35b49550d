// Two runs against each other. Only ratios are: what a machine makes of them in µs says nothing about another one.

import { OURS } from "./sides/sides.mjs";

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
      for (const [figure, change] of Object.entries(changesOf(was, is))) found.push({ scenario, side, figure, change });
    }
  }
  return found;
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
  const [few, now] = [was.figures.publishes, is.figures.publishes];
  if (few !== undefined && now !== undefined) found.publishes = Math.max(now, FEW_PUBLISHES) / Math.max(few, FEW_PUBLISHES);
  return found;
}
