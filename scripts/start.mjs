// `npm start`: the local Ably (or Ably itself, where ABLY_API_KEY is set) and the service under Wrangler.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bringUp } from "./dev/bring-up.mjs";
import { SERVICE_PORT, STATE } from "./dev/clone.mjs";
import { claim } from "./dev/only-one.mjs";
import { Parts } from "./dev/parts.mjs";
import { listenAddress, portFrom } from "./dev/ports.mjs";
import { npmProcess } from "./dev/processes.mjs";
import { ablyKey, optionalSettings } from "./dev/service.mjs";
import { stopRequest } from "./dev/stop.mjs";
import { tidyWranglerFolder } from "./dev/wrangler-folder.mjs";
import { setup } from "./setup/all.mjs";
import { buildLocalAbly } from "./setup/local-ably.mjs";
import { log, script } from "./setup/steps.mjs";
import { buildWorker } from "./setup/worker.mjs";

await script(async () => {
  // Looked up before set-up, which may outlive it.
  const npm = npmProcess();
  const key = ablyKey(process.env.ABLY_API_KEY);
  const settings = optionalSettings(process.env);
  // From here on the keys are variables of ours and go to Wrangler alone: set-up's commands have no use for them.
  delete process.env.ABLY_API_KEY;
  delete process.env.ABLY_PUBLISH_KEY;
  const which = key === undefined ? "the local Ably" : `Ably itself: app ${key.appId}, key ${key.name}`;
  log(`Towline, a development set-up with ${which}`);
  const host = listenAddress(process.env.HOST);
  const port = portFrom(process.env.PORT, SERVICE_PORT);
  if (process.env.SESSION_SECRET) log("SESSION_SECRET is not taken from the environment: this clone has its own.");

  const parts = new Parts();
  try {
    mkdirSync(STATE, { recursive: true, mode: 0o700 });
    const mine = join(STATE, "start.json");
    await claim(mine, parts.janitor);
    parts.removeAtEnd(mine);
    tidyWranglerFolder();
    await setup();
    const localAbly = key === undefined ? await buildLocalAbly() : undefined;
    await buildWorker();
    const stop = stopRequest(npm);
    await Promise.race([bringUp(parts, { host, port, key: key?.text, settings, localAbly }), stop, parts.ended]);
    log(`\nStopping: ${await Promise.race([stop, parts.ended])}.`);
  } finally {
    await parts.stop();
  }
});
