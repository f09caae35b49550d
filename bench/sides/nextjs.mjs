// (c): what a Next.js tutorial shows, under `next start`.

import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOOPBACK } from "../../scripts/dev/ports.mjs";
import { environment } from "../../scripts/setup/environment.mjs";
import { log, run } from "../../scripts/setup/steps.mjs";
import { settings } from "../workerd.mjs";
import { install, PEERS } from "./packages.mjs";

/** @import { Side } from "./sides.mjs" */

const FOLDER = join(PEERS, "nextjs");
const NEXT = join(FOLDER, "node_modules", "next", "dist", "bin", "next");
/** It has neither first states nor retries of its own, so fewer scenarios. */
const SCENARIOS = ["token", "fix", "hot", "cold"];

/** @type {Side} */
export const nextjs = {
  name: "nextjs",
  what: "(c) a tutorial's Next.js routes, which await a publish per fix",
  hasLog: false,
  isSlow: true,
  takesPart: (scenario) => SCENARIOS.includes(scenario),
  prepare: async () => {
    await install("nextjs");
    const sources = globSync(["*.js", "app/**/*.js", "next.config.mjs", "package-lock.json"], { cwd: FOLDER }).sort();
    const hash = createHash("sha256");
    for (const name of sources) hash.update(readFileSync(join(FOLDER, name)));
    const wanted = hash.digest("hex");
    const note = join(FOLDER, ".next", "towline-bench");
    if (!existsSync(note) || readFileSync(note, "utf8") !== wanted) {
      log("[set-up] the build of bench/peers/nextjs");
      // It loads the routes while it builds, and so Ably's client, which wants a key then: the one of the run it reads at its start.
      await run("node", [NEXT, "build"], { cwd: FOLDER, env: { ...quiet(), ...settings(1) }, advice: "see what Next.js says above." });
      writeFileSync(note, wanted);
    }
    return FOLDER;
  },
  start: (folder, dir, { own, ably }) => {
    mkdirSync(dir, { recursive: true });
    const env = { ...quiet(), ...settings(ably), NODE_ENV: "production" };
    return {
      command: "node",
      args: [NEXT, "start", "--hostname", LOOPBACK, "--port", String(own)],
      cwd: folder,
      env,
      port: own,
      path: "/healthz",
    };
  },
};

function quiet() {
  return { ...environment(), NEXT_TELEMETRY_DISABLED: "1" };
}
