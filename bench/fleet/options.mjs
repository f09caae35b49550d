// What a person may ask of a fleet.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { Failure } from "../../scripts/setup/steps.mjs";
import { bundleAt } from "../options.mjs";

/** @typedef {NonNullable<ReturnType<typeof readOptions>>} Options */

export const HELP = `npm run bench:fleet [-- options]

  --drivers n              who post a fix a second each, to a job of their own (1000)
  --subscribers n          who watch, each over a connection of its own; they are dealt out to the jobs in turn (1000)
  --minutes n              how long it is measured, after a ramp of 20 s (10)
  --limits package         free, standard or pro: the limits of Ably to which the local one keeps (standard)
  --mode mode              direct or batched: ABLY_PUBLISHING (direct)
  --publishers n           ABLY_PUBLISHERS; without it the service's default
  --requests-per-second n  ABLY_REQUESTS_PER_SECOND; without it the service's default
  --towline DIR            that bundle instead of one that is built now
  --json FILE              the figures go there, too`;

/** @param {string[]} args */
export function readOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        drivers: { type: "string", default: "1000" },
        subscribers: { type: "string", default: "1000" },
        minutes: { type: "string", default: "10" },
        limits: { type: "string", default: "standard" },
        mode: { type: "string", default: "direct" },
        publishers: { type: "string" },
        "requests-per-second": { type: "string" },
        towline: { type: "string" },
        json: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new Failure(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
  if (values.help) return undefined;
  oneOf("limits", values.limits, ["free", "standard", "pro"]);
  oneOf("mode", values.mode, ["direct", "batched"]);
  return {
    drivers: number("drivers", values.drivers),
    subscribers: number("subscribers", values.subscribers),
    minutes: number("minutes", values.minutes),
    limits: values.limits,
    mode: values.mode,
    publishers: values.publishers,
    requestsPerSecond: values["requests-per-second"],
    towline: values.towline === undefined ? undefined : bundleAt(values.towline),
    json: values.json === undefined ? undefined : resolve(ROOT, values.json),
  };
}

/**
 * @param {string} name
 * @param {string} text
 * @param {string[]} words
 */
function oneOf(name, text, words) {
  if (!words.includes(text)) throw new Failure(`--${name} is one of ${words.join(", ")}, not "${text}".`);
}

/**
 * @param {string} name
 * @param {string} text
 */
function number(name, text) {
  if (!(Number(text) > 0)) throw new Failure(`--${name} is a number above 0, not "${text}".`);
  return Number(text);
}
