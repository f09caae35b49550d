// Packages that only one thing of ours needs are installed in a folder of its own, when it is used: so the repository's own install stays small.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "./environment.mjs";
import { log, run } from "./steps.mjs";

/**
 * Installs what a folder's lockfile says, where that is not there.
 * @param {string} folder
 */
export async function installPackages(folder) {
  const wanted = readFileSync(join(folder, "package-lock.json"), "utf8");
  const note = join(folder, "node_modules", ".towline");
  if (existsSync(note) && readFileSync(note, "utf8") === wanted) return;
  log(`[set-up] the packages of ${relative(ROOT, folder)}`);
  rmSync(note, { force: true });
  await run("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: folder,
    advice: "see what npm says above; the registry of npm has to be reached.",
  });
  writeFileSync(note, wanted);
}
