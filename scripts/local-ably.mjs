// `npm run local-ably`: the local Ably alone, under the key that `.dev.vars` has. Its arguments are passed on.

import { revocable } from "./dev/bring-up.mjs";
import { ABLY_PORT, clone } from "./dev/clone.mjs";
import { Parts } from "./dev/parts.mjs";
import { plainWrangler } from "./dev/plain-wrangler.mjs";
import { npmProcess } from "./dev/processes.mjs";
import { stopRequest } from "./dev/stop.mjs";
import { environment } from "./setup/environment.mjs";
import { buildLocalAbly } from "./setup/local-ably.mjs";
import { rust } from "./setup/rust.mjs";
import { perform, script } from "./setup/steps.mjs";

await script(async () => {
  const npm = npmProcess();
  // Programs read the standard output: it has the local Ably's own lines and nothing else.
  await perform([rust, plainWrangler], console.error);
  const binary = await buildLocalAbly(console.error);
  const args = process.argv.slice(2);
  if (!args.some((arg) => /^--port(=|$)/.test(arg))) args.push("--port", String(ABLY_PORT));
  const parts = new Parts();
  try {
    const stop = stopRequest(npm);
    const key = clone().localAblyKey;
    args.push(...revocable(key));
    parts.start("The local Ably", binary, args, { ...environment(), LOCAL_ABLY_KEY: key }).show();
    await Promise.race([stop, parts.ended]);
  } finally {
    await parts.stop();
  }
});
