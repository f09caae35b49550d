// A short run with all that the long one has: see docs/torture.md.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bundleWorker } from "../../scripts/testing/bundle.mjs";
import { passes, torture } from "./run.ts";
import { complaints, table } from "./table.ts";

test("kill -9 and a failing Ably lose nothing, double nothing and change no order", { timeout: 300_000 }, async (t) => {
  const localAbly = process.env.LOCAL_ABLY_BIN;
  if (!localAbly) throw new Error("LOCAL_ABLY_BIN is not set: `npm test` sets it, to the binary of the local Ably");
  const bundle = process.env.WORKER_BUNDLE ?? (await bundleWorker());
  const options = { seed: 7, kills: 12, faults: 80, jobs: 6, wrongKeyMs: 3_000 };
  const report = await torture(options, { bundle, localAbly }, () => {}, t.signal);
  for (const line of table(report).split("\n")) t.diagnostic(line);
  if (!passes(report)) for (const line of report.log) t.diagnostic(line);
  assert.ok(passes(report), complaints(report).join("\n"));
});
