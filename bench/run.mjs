// `npm run bench`: the production build and its peers side by side, and what they cost a request. See bench/README.md.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { log, script } from "../scripts/setup/steps.mjs";
import { needWrk } from "./load/wrk.mjs";
import { HELP, readOptions } from "./options.mjs";
import { endWithUs } from "./processes.mjs";
import { reportOf, table } from "./report.mjs";
import { tournament } from "./tournament.mjs";

await script(async () => {
  const options = readOptions(process.argv.slice(2), { json: "bench/results.json" });
  if (options.help) return log(HELP);
  needWrk();
  endWithUs();
  const report = reportOf(await tournament(options), options);
  mkdirSync(dirname(options.json), { recursive: true });
  writeFileSync(options.json, `${JSON.stringify(report, rounded, 1)}\n`);
  log(`\n${table(report, options.scenarios)}\n\nThe figures are in ${options.json}.`);
});

/**
 * As many digits as a measurement has.
 * @param {string} _
 * @param {unknown} value
 */
function rounded(_, value) {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}
