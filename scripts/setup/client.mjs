// The client as it is published, in `clients/typescript/dist`.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NPM_BIN, ROOT } from "./environment.mjs";
import { hashOf } from "./inputs.mjs";
import { oneAtATime } from "./one-at-a-time.mjs";
import { run } from "./steps.mjs";

const CLIENT = join(ROOT, "clients", "typescript");
const DIST = join(CLIENT, "dist");
/** Says what it was built from. It is not beside the rest, all of which is published. */
const STAMP = join(ROOT, "out", "client-inputs");

/** Builds it where it is not up to date. */
export async function buildClient() {
  // One app is built from it while another packs it.
  await oneAtATime(join(ROOT, "out", "client-at-work"), async () => {
    const inputs = hashOf(CLIENT, ["src", "tsconfig.json", "tsconfig.build.json"]);
    if (existsSync(DIST) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === inputs) return;
    rmSync(STAMP, { force: true });
    // What a file that is gone once became would be published with the rest.
    rmSync(DIST, { recursive: true, force: true });
    await run(join(NPM_BIN, "tsc"), ["-p", "tsconfig.build.json"], { cwd: CLIENT, advice: "see what tsc says above." });
    for (const name of readdirSync(DIST, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".d.ts"))) {
      const path = join(DIST, name);
      // tsc leaves the sources' names in declarations, where not every compiler finds a `.d.ts` by them.
      writeFileSync(path, readFileSync(path, "utf8").replaceAll(/(\bfrom |\bimport\()"(\.[^"]*)\.tsx?"/g, '$1"$2.js"'));
    }
    writeFileSync(STAMP, inputs);
  });
}
