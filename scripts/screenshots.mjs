// `npm run screenshots`: pictures of each page of the app and of its states, on a phone and on a desktop, light and dark, for docs/app.md. They
// are taken of the real thing, into `docs/images/`.

import { perform, script } from "./setup/steps.mjs";
import { setup } from "./setup/all.mjs";
import { buildApp } from "./setup/app.mjs";
import { chromium } from "./setup/chromium.mjs";
import { environment } from "./setup/environment.mjs";
import { buildLocalAbly } from "./setup/local-ably.mjs";
import { buildWorker } from "./setup/worker.mjs";
import { bundleWorker } from "./testing/bundle.mjs";
import { nodeTests } from "./testing/suites.mjs";

await script(async () => {
  await setup();
  await perform([chromium]);
  await buildWorker();
  await buildApp();
  const built = { LOCAL_ABLY_BIN: await buildLocalAbly(), WORKER_BUNDLE: await bundleWorker() };
  const { failed } = await nodeTests(["scripts/screenshots/take.ts"], { ...environment(), ...built });
  return failed === 0 ? 0 : 1;
});
