// Short runs with all that the long ones have: see docs/torture.md.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bundleWorker } from "../../scripts/testing/bundle.mjs";
import { passes, torture } from "./run.ts";
import type { Options } from "./schedule.ts";
import { complaints, table } from "./table.ts";

const RUNS: Options[] = [
  { publishing: "direct", seed: 7, kills: 12, faults: 80, jobs: 6, wrongKeyMs: 3_000 },
  { publishing: "batched", seed: 7, kills: 8, faults: 40, jobs: 8, wrongKeyMs: 3_000 },
];

for (const options of RUNS) {
  const { publishing } = options;
  test(`kill -9 and a failing Ably lose nothing, double nothing and change no order: ${publishing}`, { timeout: 300_000 }, async (t) => {
    const localAbly = process.env.LOCAL_ABLY_BIN;
    if (!localAbly) throw new Error("LOCAL_ABLY_BIN is not set: `npm test` sets it, to the binary of the local Ably");
    const bundle = process.env.WORKER_BUNDLE ?? (await bundleWorker());
    const report = await torture(options, { bundle, localAbly }, () => {}, t.signal);
    for (const line of table(report).split("\n")) t.diagnostic(line);
    if (!passes(report)) for (const line of report.log) t.diagnostic(line);
    assert.ok(passes(report), complaints(report).join("\n"));
    const { together, messages } = report;
    if (publishing === "batched") assert.ok(together > messages / 4, `${together} of ${messages} messages shared a request`);
  });
}
