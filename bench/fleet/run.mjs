// `npm run bench:fleet`: the real service under a fleet of drivers, with subscribers who watch it through the local Ably, whose limits are
// those of one of Ably's packages. It prints how late positions are and what they cost, and fails where one is lost, doubled or out of
// order, or where Ably refused anything.

import { writeFileSync } from "node:fs";
import { log, script } from "../../scripts/setup/steps.mjs";
import { endWithUs } from "../processes.mjs";
import { drive } from "./fleet.mjs";
import { HELP, readOptions } from "./options.mjs";
import { told } from "./report.mjs";

await script(async () => {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) return log(HELP);
  endWithUs();
  const report = await drive(options);
  log(`\n${told(report)}`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, undefined, 1)}\n`);
  return report.faults.length === 0 ? 0 : 1;
});
// Where it has failed half way, the measurement would go on by itself.
process.exit();
