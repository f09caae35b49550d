// What peers are made of is installed only when they are measured.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { installPackages } from "../../scripts/setup/folder-packages.mjs";

export const PEERS = join(ROOT, "bench", "peers");

/**
 * Installs a peer's packages, where it has any.
 * @param {string} name of its folder
 */
export async function install(name) {
  const folder = join(PEERS, name);
  if (existsSync(join(folder, "package-lock.json"))) await installPackages(folder);
}
