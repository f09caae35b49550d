// `npm run test:api`: a fuzzer that reads the description against the service. tests/api/README.md says what it needs. It is not part of
// `npm test`, because it needs Python and a registry of its packages.

import { setup } from "./setup/all.mjs";
import { buildLocalAbly } from "./setup/local-ably.mjs";
import { script } from "./setup/steps.mjs";
import { buildWorker } from "./setup/worker.mjs";
import { bundleWorker } from "./testing/bundle.mjs";

await script(async () => {
  if (!process.env.LOCAL_ABLY_BIN || !process.env.WORKER_BUNDLE) {
    await setup();
    await buildWorker();
  }
  process.env.LOCAL_ABLY_BIN ??= await buildLocalAbly();
  process.env.WORKER_BUNDLE ??= await bundleWorker();
  // It imports npm packages, which are there only now.
  const { testApi } = await import("./testing/api.mjs");
  return (await testApi(process.argv.slice(2))) ? 0 : 1;
});
