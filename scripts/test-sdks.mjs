// `npm run test:sdks`: the SDKs of other languages against a local Ably. tests/sdks/README.md says what they need. It is not
// part of `npm test`, because it needs their languages and registries.

import { buildLocalAbly } from "./setup/local-ably.mjs";
import { node, npmPackages } from "./setup/packages.mjs";
import { rust } from "./setup/rust.mjs";
import { log, perform, script } from "./setup/steps.mjs";

await script(async () => {
  await perform([rust, npmPackages, node]);
  const binary = await buildLocalAbly();
  // It imports an npm package, which is there only now.
  const { testSdks } = await import("./testing/sdks.mjs");
  const { passed, failed } = await testSdks(binary);
  log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});
