// A Next.js in production, built from the folder of this file, whose rewrite leads to the service.

import { join } from "node:path";
import { Parts } from "../../scripts/dev/parts.mjs";
import { freePort, LOOPBACK } from "../../scripts/dev/ports.mjs";
import { environment } from "../../scripts/setup/environment.mjs";
import { installPackages } from "../../scripts/setup/folder-packages.mjs";
import { run } from "../../scripts/setup/steps.mjs";
import { eventually } from "../e2e/support/wait.ts";

const FOLDER = import.meta.dirname;
const NEXT = join(FOLDER, "node_modules", "next", "dist", "bin", "next");
const FIRST_PORT = 13_000;

/**
 * Builds it and starts it, and returns where it is once it answers.
 * @param towline the service's URL
 */
export async function startNext(parts: Parts, towline: string) {
  await installPackages(FOLDER);
  const env = { ...environment(), NEXT_TELEMETRY_DISABLED: "1", TOWLINE_URL: towline };
  await run("node", [NEXT, "build"], { cwd: FOLDER, env, advice: "see what Next.js says above." });
  const port = await freePort(FIRST_PORT, LOOPBACK);
  const args = [NEXT, "start", FOLDER, "--hostname", LOOPBACK, "--port", String(port)];
  parts.start("Next.js", "node", args, { ...env, NODE_ENV: "production" }, () => {});
  const url = `http://${LOOPBACK}:${port}`;
  return eventually("Next.js to answer", async () => ((await fetch(url).catch(() => undefined))?.ok ? url : undefined));
}
