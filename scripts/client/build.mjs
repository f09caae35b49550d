// `npm run build:client`: what `npm pack -w @towline/client` publishes, in `clients/typescript/dist`. `npm pack` runs it by itself.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NPM_BIN, ROOT } from "../setup/environment.mjs";
import { npmPackages } from "../setup/packages.mjs";
import { perform, run, script } from "../setup/steps.mjs";

const CLIENT = join(ROOT, "clients", "typescript");
const DIST = join(CLIENT, "dist");

await script(async () => {
  await perform([npmPackages]);
  // What a file that is gone once became would be published with the rest.
  rmSync(DIST, { recursive: true, force: true });
  await run(join(NPM_BIN, "tsc"), ["-p", "tsconfig.build.json"], { cwd: CLIENT, advice: "see what tsc says above." });
  for (const name of readdirSync(DIST, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".d.ts"))) {
    const path = join(DIST, name);
    // tsc leaves the sources' names in declarations, where not every compiler finds a `.d.ts` by them.
    writeFileSync(path, readFileSync(path, "utf8").replaceAll(/(\bfrom |\bimport\()"(\.[^"]*)\.tsx?"/g, '$1"$2.js"'));
  }
});
