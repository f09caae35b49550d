// `npm run local-ably`: the local Ably alone, under the key that `.dev.vars` has. Its arguments are passed on.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { ABLY_PORT, clone, devVars } from "./dev/clone.mjs";
import { environment } from "./setup/environment.mjs";
import { buildLocalAbly } from "./setup/local-ably.mjs";
import { rust } from "./setup/rust.mjs";
import { perform, script, SIGNALS } from "./setup/steps.mjs";

await script(async () => {
  // Programs read the standard output: it has the local Ably's own lines and nothing else.
  await perform([rust, devVars], console.error);
  const binary = await buildLocalAbly(console.error);
  const args = process.argv.slice(2);
  if (!args.some((arg) => arg === "--port" || arg.startsWith("--port="))) args.push("--port", String(ABLY_PORT));
  const child = spawn(binary, args, { stdio: "inherit", env: { ...environment(), LOCAL_ABLY_KEY: clone().localAblyKey } });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  const [code, signal] = await once(child, "exit");
  return signal === null ? code : 0;
});
