// `npm run torture -- --kills 200 --faults 1000 --seed 7`: sets up what is missing, and runs tests/torture.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { setup } from "./setup/all.mjs";
import { environment, ROOT } from "./setup/environment.mjs";
import { buildLocalAbly } from "./setup/local-ably.mjs";
import { script, SIGNALS } from "./setup/steps.mjs";
import { bundleWorker } from "./testing/bundle.mjs";

await script(async () => {
  await setup();
  const { LOCAL_ABLY_BIN, WORKER_BUNDLE } = process.env;
  const built = {
    LOCAL_ABLY_BIN: LOCAL_ABLY_BIN ?? (await buildLocalAbly()),
    // Another build's, where one is given.
    WORKER_BUNDLE: WORKER_BUNDLE ?? (await bundleWorker()),
  };
  // Its tests are TypeScript, which the Node that runs this need not know.
  const child = spawn("node", ["tests/torture/main.ts", ...process.argv.slice(2)], {
    cwd: ROOT,
    env: { ...environment(), ...built },
    stdio: "inherit",
  });
  // A signal to us alone is for both; a terminal sends it to both anyway, and it acts once.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  const [code] = await once(child, "exit");
  return code ?? 1;
});
