// Packages that only one thing of ours needs are installed in a folder of its own, when it is used: so the repository's own install stays small.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { ROOT } from "./environment.mjs";
import { oneAtATime } from "./one-at-a-time.mjs";
import { log, run } from "./steps.mjs";

/**
 * Installs what a folder's lockfile says, where that is not there.
 * @param {string} folder
 */
export async function installPackages(folder) {
  const wanted = readFileSync(join(folder, "package-lock.json"), "utf8");
  const note = join(folder, "node_modules", ".towline");
  const there = () => existsSync(note) && readFileSync(note, "utf8") === wanted;
  if (there()) return;
  const name = relative(ROOT, folder);
  // Two test files may need the same ones.
  await oneAtATime(join(ROOT, "out", `packages-${name.replaceAll(sep, "-")}`), async () => {
    if (there()) return;
    log(`[set-up] the packages of ${name}`);
    rmSync(note, { force: true });
    await run("npm", ["ci", "--no-audit", "--no-fund"], {
      cwd: folder,
      advice: "see what npm says above; the registry of npm has to be reached.",
    });
    writeFileSync(note, wanted);
  });
}
