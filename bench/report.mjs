// What a run has come to: ratios against one side, as a table and as JSON.

import { cpus } from "node:os";
import { output } from "../scripts/setup/environment.mjs";
import { median, spread } from "./statistics.mjs";

/** @import { Options } from "./options.mjs" */
/** @import { Spread } from "./statistics.mjs" */
/** @import { Measured, Samples } from "./tournament.mjs" */

/**
 * @typedef {object} Line a side in a scenario
 * @property {Record<string, number>} figures medians: CPU a request in µs; answered requests a second; requests to Ably a fix; ms
 * @property {Spread} [cpu] how many requests it answers with the CPU time in which the base answers one
 * @property {Record<string, Spread>} times times divided by the base's: below 1 it is quicker
 *
 * @typedef {object} Report
 * @property {string} made
 * @property {Record<string, string>} versions
 * @property {{ base: string, restarts: number, rounds: number, seconds: number }} options
 * @property {Record<string, string>} sides
 * @property {Record<string, Record<string, Line>>} scenarios
 */

/** Times that are compared, by name. */
const TIMES = ["p50", "p99", "ms", "firstMs"];

/**
 * @param {Measured} measured
 * @param {Options} options
 * @returns {Report}
 */
export function reportOf({ figures, latencies }, { base, restarts, rounds, seconds, sides, scenarios }) {
  /** @type {Report["scenarios"]} */
  const all = {};
  for (const { name } of scenarios) {
    for (const side of Object.keys(figures[name] ?? {})) (all[name] ??= {})[side] = lineOf([figures, latencies], name, side, base);
  }
  return {
    made: new Date().toISOString(),
    versions: {
      node: process.version,
      workerd: output("workerd", ["--version"]) ?? "",
      wrk: output("sh", ["-c", "wrk -v | head -n 1"]) ?? "",
      cores: `${cpus().length}`,
    },
    options: { base, restarts, rounds, seconds },
    sides: Object.fromEntries(sides.map(({ name, what }) => [name, what])),
    scenarios: all,
  };
}

/**
 * @param {Samples[]} sources
 * @param {string} scenario
 * @param {string} side
 * @param {string} base
 * @returns {Line}
 */
function lineOf(sources, scenario, side, base) {
  /** @type {Line} */
  const line = { figures: {}, times: {} };
  for (const source of sources) {
    const own = source[scenario]?.[side] ?? [];
    const others = source[scenario]?.[base] ?? [];
    for (const figure of Object.keys(own[0] ?? {})) {
      const value = (/** @type {number} */ round, /** @type {typeof own} */ of) => of[round]?.[figure] ?? NaN;
      line.figures[figure] ??= median(own.map((_, round) => value(round, own)));
      if (others.length === 0) continue;
      // Round by round: what the machine did besides meets both.
      if (figure === "cpu") line.cpu = spread(own.map((_, round) => value(round, others) / value(round, own)));
      // Latencies at another rate are another thing.
      const isComparable = own.every(({ offered }, round) => offered === others[round]?.offered);
      if (TIMES.includes(figure) && isComparable)
        line.times[figure] = spread(own.map((_, round) => value(round, own) / value(round, others)));
    }
  }
  return line;
}

/**
 * @param {Report} report
 * @param {{ name: string, what: string }[]} scenarios
 */
export function table({ scenarios: measured, options: { base } }, scenarios) {
  const rows = [["", "", "CPU µs", "CPU", "(quartiles)", "req/s", "p50 ms", "", "p99 ms", "", "to Ably/fix"]];
  for (const { name, what } of scenarios) {
    let title = what;
    for (const [side, { figures, cpu, times }] of Object.entries(measured[name] ?? {})) {
      const time = (/** @type {string} */ figure) => [fixed(figures[figure], 2), times[figure] && `×${fixed(times[figure].median, 2)}`];
      const latency = figures.ms === undefined ? [...time("p50"), ...time("p99")] : [...time("ms"), ...time("firstMs")];
      const ratio = cpu === undefined ? ["", ""] : [fixed(cpu.median, 2), `${fixed(cpu.q1, 2)}–${fixed(cpu.q3, 2)}`];
      rows.push(
        [title, side, fixed(figures.cpu, 0), ...ratio, fixed(figures.perSecond, 0), ...latency, fixed(figures.publishes, 3)].map(
          (cell) => cell ?? "",
        ),
      );
      title = "";
    }
  }
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const text = rows.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return [
    ...text,
    "",
    `CPU: requests for the CPU time in which ${base} answers one: above 1 is cheaper. Times are divided by ${base}'s (×): below 1 is quicker.`,
    "Latencies: all sides at half of the slowest one's capacity. Storm: until all have a token. Cold: from the process's start, and from its first connection.",
  ].join("\n");
}

/**
 * @param {number | undefined} value
 * @param {number} digits
 */
function fixed(value, digits) {
  return value === undefined || Number.isNaN(value) ? "" : value.toFixed(digits);
}
