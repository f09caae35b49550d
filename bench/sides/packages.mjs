// What peers are made of is installed in their own folders, and only when they are measured: so the repository's own install stays small.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { log, run } from "../../scripts/setup/steps.mjs";

export const PEERS = join(ROOT, "bench", "peers");

/**
 * Installs what a peer's lockfile says, where that is not there.
 * @param {string} name of its folder
 */
export async function install(name) {
  const folder = join(PEERS, name);
  if (!existsSync(join(folder, "package-lock.json"))) return;
  const wanted = readFileSync(join(folder, "package-lock.json"), "utf8");
  const note = join(folder, "node_modules", ".towline-bench");
  if (existsSync(note) && readFileSync(note, "utf8") === wanted) return;
  log(`[set-up] the packages of bench/peers/${name}`);
  rmSync(note, { force: true });
  await run("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: folder,
    advice: "see what npm says above; the registry of npm has to be reached.",
  });
  writeFileSync(note, wanted);
}
