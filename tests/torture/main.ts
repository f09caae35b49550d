// The command line of a run: see docs/torture.md.

import { parseArgs } from "node:util";
import { Failure, log, script, SIGNALS } from "../../scripts/setup/steps.mjs";
import { passes, torture } from "./run.ts";
import type { Options } from "./schedule.ts";
import { complaints, table } from "./table.ts";

/** How much of what the runtime said last is shown after a run that failed. */
const LOG_LINES = 20;
const DEFAULTS = { kills: 200, faults: 1_000, jobs: 8, "wrong-key-seconds": 30 };

await script(async () => {
  const { LOCAL_ABLY_BIN: localAbly, WORKER_BUNDLE: bundle } = process.env;
  if (!localAbly || !bundle) throw new Failure("What to do: npm run torture, which builds what is run.");
  const options = read(process.argv.slice(2));
  log(`Seed ${options.seed}, ${options.publishing}: ${options.kills} kills, ${options.faults} faults, ${options.jobs} jobs`);
  const stop = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => stop.abort());
  const report = await torture(options, { bundle, localAbly }, log, stop.signal);
  log(`\n${table(report)}\n`);
  for (const line of complaints(report)) log(line);
  if (!passes(report)) for (const line of report.log.slice(-LOG_LINES)) log(`workerd: ${line}`);
  const again = `--publishing ${options.publishing} --seed ${options.seed}`;
  log(passes(report) ? "Nothing is wrong." : `Something is wrong; ${again} does the same again.`);
  return passes(report) ? 0 : 1;
});

function read(args: string[]): Options {
  const names = [...Object.keys(DEFAULTS), "seed", "publishing"];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  const { values } = parseArgs({ args, options });
  const whole = (name: string, otherwise: number) => {
    const text = values[name] ?? String(otherwise);
    if (!/^\d{1,9}$/.test(text)) throw new Failure(`--${name} is "${text}", and that is no whole number.`);
    return Number(text);
  };
  const { publishing = "direct" } = values;
  if (publishing !== "direct" && publishing !== "batched") throw new Failure(`--publishing is "${publishing}", and may be direct or batched.`);
  return {
    publishing,
    seed: whole("seed", Math.floor(Math.random() * 1_000_000)),
    kills: whole("kills", DEFAULTS.kills),
    faults: whole("faults", DEFAULTS.faults),
    jobs: Math.max(1, whole("jobs", DEFAULTS.jobs)),
    wrongKeyMs: whole("wrong-key-seconds", DEFAULTS["wrong-key-seconds"]) * 1_000,
  };
}
