// The `[build]` command of wrangler.toml: builds the Worker into build/, where it is not up to date.

import { script } from "./setup/steps.mjs";
import { buildWorker } from "./setup/worker.mjs";

await script(buildWorker);
