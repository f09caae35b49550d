// `npm run build:client`: what `npm pack -w @towline/client` publishes. `npm pack` runs it by itself.

import { buildClient } from "../setup/client.mjs";
import { npmPackages } from "../setup/packages.mjs";
import { perform, script } from "../setup/steps.mjs";

await script(async () => {
  await perform([npmPackages]);
  await buildClient();
});
