// `npm run setup`: everything that the clone needs before it can be built.

import { setup } from "./setup/all.mjs";
import { script } from "./setup/steps.mjs";

await script(setup);
