// `npm test`: sets up what is missing, runs every suite, and ends with the counts of all of them.

import { setup } from "./setup/all.mjs";
import { buildApp } from "./setup/app.mjs";
import { chromium } from "./setup/chromium.mjs";
import { environment } from "./setup/environment.mjs";
import { buildLocalAbly } from "./setup/local-ably.mjs";
import { log, perform, script } from "./setup/steps.mjs";
import { buildWorker } from "./setup/worker.mjs";
import { bundleWorker } from "./testing/bundle.mjs";
import { sum } from "./testing/counts.mjs";
import { cargoTests, nodeTests } from "./testing/suites.mjs";

/** @typedef {import("./testing/counts.mjs").Counts} Counts */

await script(async () => {
  // Only `npm run test:e2e` uses a key of Ably's.
  delete process.env.ABLY_API_KEY;
  delete process.env.ABLY_PUBLISH_KEY;
  await setup();
  const suites = {
    "cargo test": cargoTests,
    "node --test": async () => {
      await perform([chromium]);
      await buildWorker();
      await buildApp();
      const built = { LOCAL_ABLY_BIN: await buildLocalAbly(), WORKER_BUNDLE: await bundleWorker() };
      return nodeTests(["tests/**/*.test.ts", "clients/*/tests/*.test.ts", "crates/*/tests/*.test.mjs"], { ...environment(), ...built });
    },
  };
  /** @type {Record<string, Counts>} */
  const results = {};
  for (const [name, run] of Object.entries(suites)) {
    log(`\n=== ${name}`);
    results[name] = await run().catch((error) => {
      log(error instanceof Error ? error.message : String(error));
      return { passed: 0, failed: 1, skipped: 0 };
    });
  }
  log("");
  for (const [name, { passed, failed, skipped }] of Object.entries(results)) {
    log(`${name.padEnd(12)} ${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
  const { passed, failed } = sum(Object.values(results));
  log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});
