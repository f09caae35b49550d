// What `npm start` and `npm run demo` are: the service and its Ably, set up, built and running, until somebody ends them.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setup } from "../setup/all.mjs";
import { buildLocalAbly } from "../setup/local-ably.mjs";
import { log } from "../setup/steps.mjs";
import { buildWorker } from "../setup/worker.mjs";
import { bringUp } from "./bring-up.mjs";
import { SERVICE_PORT, STATE } from "./clone.mjs";
import { claim } from "./only-one.mjs";
import { Parts } from "./parts.mjs";
import { LOOPBACK, portFrom } from "./ports.mjs";
import { npmProcess } from "./processes.mjs";
import { ablyKey, optionalSettings } from "./service.mjs";
import { stopRequest } from "./stop.mjs";
import { tidyWranglerFolder } from "./wrangler-folder.mjs";

/**
 * @typedef {object} Development
 * @property {string} [host] the address that the service listens at, where that is not this machine alone
 * @property {string} [port] the one that is wanted for the service
 * @property {number[]} [taken] ports that are promised to somebody else
 * @property {Record<string, string>} [settings] of the service, whatever the environment has
 * @property {() => Promise<void>} [build] what has to be built beside the service
 * @property {(parts: Parts, up: import("./bring-up.mjs").Up) => void | Promise<void>} ready told once the service answers
 */

/** @param {Development} development */
export async function develop({ host = LOOPBACK, port: wanted, taken = [], settings: own = {}, build, ready }) {
  // Looked up before set-up, which may outlive it.
  const npm = npmProcess();
  const key = ablyKey(process.env.ABLY_API_KEY);
  const settings = { ...optionalSettings(process.env), ...own };
  // From here on the keys are variables of ours and go to Wrangler alone: set-up's commands have no use for them.
  delete process.env.ABLY_API_KEY;
  delete process.env.ABLY_PUBLISH_KEY;
  const which = key === undefined ? "the local Ably" : `Ably itself: app ${key.appId}, key ${key.name}`;
  log(`Towline, a development set-up with ${which}`);
  const port = portFrom(wanted, SERVICE_PORT);
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
    await build?.();
    const stop = stopRequest(npm);
    const running = bringUp(parts, { host, port, taken, key: key?.text, settings, localAbly }).then((up) => ready(parts, up));
    // What has failed is thrown; what is up goes on until it is told to stop.
    const reason = await Promise.race([running.then(() => Promise.race([stop, parts.ended])), stop, parts.ended]);
    log(`\nStopping: ${reason}.`);
  } finally {
    await parts.stop();
  }
}
