// The Worker as it would be deployed, for what runs it in a workerd of its own.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runs } from "../dev/processes.mjs";
import { WRANGLER } from "../dev/service.mjs";
import { NPM_BIN, ROOT, environment } from "../setup/environment.mjs";
import { run } from "../setup/steps.mjs";

const OUT = join(ROOT, "out");

/**
 * Bundles the Worker, built before where that was necessary, with nothing of this machine's settings in it.
 * @param {string} folder a new one: Wrangler leaves older modules where they are, and the runtime would load them too
 */
export async function bundleInto(folder) {
  await run(join(NPM_BIN, "wrangler"), ["deploy", "--dry-run", "--outdir", folder], {
    env: { ...environment(), ...WRANGLER },
    advice: "see what Wrangler says above.",
  });
}

/** @type {Promise<string> | undefined} */
let bundle;

/**
 * This process's bundle. It has a folder of its own, since other processes of the clone may be at the same; the folder goes when
 * the process ends, and that of one that was killed goes with the next.
 * @returns {Promise<string>} the folder
 */
export function bundleWorker() {
  return (bundle ??= make());
}

async function make() {
  mkdirSync(OUT, { recursive: true });
  for (const name of readdirSync(OUT)) {
    const owner = Number(/^bundle-(\d+)$/.exec(name)?.[1]);
    if (owner === process.pid || (owner > 0 && !runs(owner, ""))) rmSync(join(OUT, name), { recursive: true, force: true });
  }
  const folder = join(OUT, `bundle-${process.pid}`);
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  await bundleInto(folder);
  return folder;
}
