// What a person may ask of a run.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../scripts/setup/environment.mjs";
import { Failure } from "../scripts/setup/steps.mjs";
import { SCENARIOS } from "./scenarios.mjs";
import { allSides, BASE, FLOOR } from "./sides/sides.mjs";

/** @typedef {ReturnType<typeof readOptions>} Options */

export const HELP = `npm run bench [-- options]

  --scenarios a,b    ${SCENARIOS.map(({ name }) => name).join(", ")}; all, where it is not there
  --sides a,b        towline, towline-batched, tuned, hono, publishers, nextjs, hello, and what --build names
  --build name=DIR   another build of ours as a further side, as Wrangler has bundled it into DIR; may be repeated
  --towline DIR      that bundle is the sides towline and towline-batched, and nothing is built
  --against name     the side whose figures are 1 (tuned)
  --restarts n       how often all sides start anew, on fresh storage and in another order (4)
  --rounds n         how often each scenario is measured within one (2)
  --seconds n        how long a scenario loads a side (4)
  --no-latency       leave the latencies out
  --json FILE        where the figures go (bench/results.json)`;

/**
 * @param {string[]} args
 * @param {{ json: string }} defaults
 */
export function readOptions(args, { json }) {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        scenarios: { type: "string" },
        sides: { type: "string" },
        build: { type: "string", multiple: true, default: [] },
        towline: { type: "string" },
        against: { type: "string" },
        restarts: { type: "string", default: "4" },
        rounds: { type: "string", default: "2" },
        seconds: { type: "string", default: "4" },
        "no-latency": { type: "boolean", default: false },
        json: { type: "string", default: json },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new Failure(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
  const builds = values.build.map((text) => buildOf(text));
  const towline = values.towline === undefined ? undefined : bundleAt(values.towline);
  const sides = chosen("side", allSides({ towline, builds }), values.sides);
  const base = values.against ?? (sides.some(({ name }) => name === BASE) ? BASE : sides[0]?.name);
  if (!sides.some(({ name }) => name === base) || base === FLOOR) throw new Failure(`There is no side "${base}" to compare with.`);
  return {
    help: values.help,
    scenarios: chosen("scenario", [...SCENARIOS], values.scenarios),
    sides,
    base: String(base),
    restarts: atLeastOne("restarts", values.restarts),
    rounds: atLeastOne("rounds", values.rounds),
    seconds: atLeastOne("seconds", values.seconds),
    latency: !values["no-latency"],
    json: resolve(ROOT, values.json),
  };
}

/**
 * @template {{ name: string }} T
 * @param {string} what
 * @param {T[]} all
 * @param {string | undefined} text
 */
function chosen(what, all, text) {
  if (text === undefined) return all;
  const names = text.split(",");
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) throw new Failure(`There is no ${what} "${unknown}".\n\n${HELP}`);
  return all.filter(({ name }) => names.includes(name));
}

/**
 * @param {string} text
 * @returns {[string, string]}
 */
function buildOf(text) {
  const [, name, folder] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || folder === undefined) throw new Failure(`--build is name=DIR, not "${text}".`);
  return [name, bundleAt(folder)];
}

/** @param {string} text */
export function bundleAt(text) {
  const folder = resolve(text);
  if (!existsSync(join(folder, "entry.js")))
    throw new Failure(`${folder} holds no bundle of ours: make one with wrangler deploy --dry-run --outdir DIR.`);
  return folder;
}

/**
 * @param {string} name
 * @param {string} text
 */
function atLeastOne(name, text) {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Failure(`--${name} is a whole number from 1 on, not "${text}".`);
  return Number(text);
}
