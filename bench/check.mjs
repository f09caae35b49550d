// `npm run bench:check`: a fresh run against the figures that are committed, as ratios. It fails where Towline costs more than a fifth more than
// it did, measured by its peers on the same machine at the same time. It is no part of CI: a machine that others use says little.

import { existsSync, readFileSync } from "node:fs";
import { Failure, log, script } from "../scripts/setup/steps.mjs";
import { changes, newcomers, WORSE } from "./compare.mjs";
import { needWrk } from "./load/wrk.mjs";
import { HELP, readOptions } from "./options.mjs";
import { endWithUs } from "./processes.mjs";
import { reportOf, table } from "./report.mjs";
import { tournament } from "./tournament.mjs";

/** @import { Report } from "./report.mjs" */

const COMMITTED = "bench/results.json";

await script(async () => {
  const options = readOptions(process.argv.slice(2), { json: COMMITTED });
  if (options.help)
    return log(`${HELP.replaceAll("npm run bench ", "npm run bench:check ")}\n\nHere --json names the figures to compare with.`);
  needWrk();
  endWithUs();
  if (!existsSync(options.json)) {
    throw new Failure(
      `There is nothing to compare with: ${options.json} is not there.\nWhat to do: npm run bench, on a machine that does nothing else, and commit ${COMMITTED}.`,
    );
  }
  /** @type {Report} */
  const committed = JSON.parse(readFileSync(options.json, "utf8"));
  if (committed.options.base !== options.base)
    throw new Failure(`The committed figures are against ${committed.options.base}, not ${options.base}.`);
  const fresh = reportOf(await tournament(options), options);
  log(`\n${table(fresh, options.scenarios)}\n\nAgainst the figures of ${committed.made}, whose ratios are 1:`);
  const found = changes(committed, fresh);
  if (found.length === 0) throw new Failure("The two have nothing in common that could be compared.");
  for (const { scenario, side, figure, change } of found) {
    const word = change > WORSE ? "worse" : change < 1 / WORSE ? "better" : "";
    log(`  ${scenario.padEnd(10)} ${side.padEnd(15)} ${figure.padEnd(9)} ${change.toFixed(2)} ${word}`.trimEnd());
  }
  for (const { scenario, side } of newcomers(committed, fresh)) log(`  ${scenario.padEnd(10)} ${side.padEnd(15)} is not committed yet`);
  const worse = found.filter(({ change }) => change > WORSE);
  if (found.some(({ change }) => change < 1 / WORSE))
    log("\nWhat is better by so much should be committed, or it is free to get worse again: npm run bench.");
  log(worse.length === 0 ? "\nNothing is worse by more than a fifth." : `\n${worse.length} figures are worse by more than a fifth.`);
  return worse.length === 0 ? 0 : 1;
});
