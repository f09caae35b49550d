// What Wrangler keeps in the clone from one run to the next: the objects' storage, and so positions.

import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../setup/environment.mjs";
import { log } from "../setup/steps.mjs";

/** Where a Wrangler whose local observability is on writes down what goes through it. */
const OBSERVABILITY = join("state", "v3", "observability");

/**
 * Leaves the folder to its owner alone, and removes what was written down about requests.
 * @param {string} folder
 * @param {(line: string) => void} say
 */
export function tidyWranglerFolder(folder = join(ROOT, ".wrangler"), say = log) {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  const written = join(folder, OBSERVABILITY);
  if (!existsSync(written)) return;
  rmSync(written, { recursive: true });
  say(`Removed .wrangler/${OBSERVABILITY}: Wrangler had written down the URLs of requests there, with all that their queries held.`);
}
