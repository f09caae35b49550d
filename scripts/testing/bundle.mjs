// The Worker as it would be deployed, for the tests that run it in workerd.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { WRANGLER } from "../dev/service.mjs";
import { NPM_BIN, ROOT, environment } from "../setup/environment.mjs";
import { run } from "../setup/steps.mjs";

const BUNDLE = join(ROOT, "out", "bundle");

/**
 * Bundles the Worker, built before where that was necessary, with nothing of this machine's settings in it.
 * @returns {Promise<string>} the folder
 */
export async function bundleWorker() {
  // Wrangler leaves older modules where they are, and the tests' runtime would load them too.
  rmSync(BUNDLE, { recursive: true, force: true });
  await run(join(NPM_BIN, "wrangler"), ["deploy", "--dry-run", "--outdir", BUNDLE], {
    env: { ...environment(), ...WRANGLER },
    advice: "see what Wrangler says above.",
  });
  return BUNDLE;
}
