// The real service in a workerd of its own, and the local Ably that it publishes to, with the limits of one of Ably's packages.

import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { revocable } from "../../scripts/dev/bring-up.mjs";
import { freePort, LOOPBACK } from "../../scripts/dev/ports.mjs";
import { environment, NPM_BIN } from "../../scripts/setup/environment.mjs";
import { buildLocalAbly } from "../../scripts/setup/local-ably.mjs";
import { Failure } from "../../scripts/setup/steps.mjs";
import { bundleWorker } from "../../scripts/testing/bundle.mjs";
import { classesIn, config } from "../config.mjs";
import { startProcess, STORAGE } from "../processes.mjs";
import { ABLY_API_KEY, SESSION_SECRET } from "../workerd.mjs";

/** @import { Options } from "./options.mjs" */

const FIRST_PORT = 18_900;

/**
 * @param {Pick<Options, "towline" | "mode" | "limits"> & Partial<Options>} options
 * @param {Record<string, string>} [more] settings of the service
 */
export async function setStage({ towline, mode, publishers, requestsPerSecond, limits }, more = {}) {
  const binary = await buildLocalAbly();
  const bundle = towline ?? (await bundleWorker());
  if (mode === "batched" && !classesIn(bundle).includes("Publisher")) throw new Failure("This build has no publishers, so no batched mode.");
  const dir = mkdtempSync(join(STORAGE, "towline-fleet-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }));
  const controlSecret = randomBytes(16).toString("hex");
  const ablyPort = await freePort(FIRST_PORT, LOOPBACK);
  const ably = await startProcess({
    command: binary,
    args: ["--port", String(ablyPort), "--limits", limits, ...revocable(ABLY_API_KEY)],
    port: ablyPort,
    path: "/",
    env: { ...environment(), LOCAL_ABLY_KEY: ABLY_API_KEY, LOCAL_ABLY_CONTROL_SECRET: controlSecret },
  });
  // Nothing is lifted: the service keeps to the limits that it has for everybody.
  const settings = {
    ABLY_API_KEY,
    ABLY_REST_URL: ably.url,
    SESSION_SECRET,
    ABLY_PUBLISHING: mode,
    ...(publishers && { ABLY_PUBLISHERS: publishers }),
    ...(requestsPerSecond && { ABLY_REQUESTS_PER_SECOND: requestsPerSecond }),
    ...more,
  };
  cpSync(bundle, join(dir, "worker"), { recursive: true });
  const port = await freePort(FIRST_PORT, LOOPBACK, [ablyPort]);
  writeFileSync(join(dir, "config.capnp"), config(dir, { towline: port }, settings));
  const workerd = await startProcess({
    command: join(NPM_BIN, "workerd"),
    args: ["serve", join(dir, "config.capnp")],
    port,
    path: "/healthz",
  });
  return { ably, workerd, controlSecret };
}
