// The app of `examples/nextjs`, built. One build serves any port: where Towline and Ably are is told when it is started.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runs } from "../dev/processes.mjs";
import { buildClient } from "./client.mjs";
import { environment, ROOT } from "./environment.mjs";
import { installPackages } from "./folder-packages.mjs";
import { hashOf } from "./inputs.mjs";
import { oneAtATime } from "./one-at-a-time.mjs";
import { Failure, log, run } from "./steps.mjs";

export const APP = join(ROOT, "examples", "nextjs");
export const NEXT = join(APP, "node_modules", "next", "dist", "bin", "next");

const INPUTS = ["examples/nextjs", "clients/typescript/src", "clients/typescript/package.json", "clients/typescript/tsconfig.build.json"];
/** What building makes, what Next.js writes beside its sources, and what is there to be read. */
const NOT_INPUTS = ["node_modules", ".next", "next-env.d.ts", "tsconfig.tsbuildinfo", "recipes", "README.md", ".env.example"].map((name) => `examples/nextjs/${name}`);
/** Says what the build was made from. */
const STAMP = join(APP, ".next", "towline-inputs");

/** A file for each process that has started the app as it is built: by its process id. */
export const RUNNING = join(ROOT, "out", "app-running");

/** Whether somebody else runs it. Files of those that have been killed do not count. */
function isRunning() {
  return existsSync(RUNNING) && readdirSync(RUNNING).some((pid) => Number(pid) !== process.pid && runs(Number(pid), "node"));
}

/** Builds it where it is not up to date. */
export async function buildApp() {
  await oneAtATime(join(ROOT, "out", "app-at-work"), async () => {
    const inputs = hashOf(ROOT, INPUTS, { except: NOT_INPUTS });
    if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === inputs) return;
    if (isRunning()) {
      throw new Failure("The app has changed since it was built, and runs from here: its pages would lose their scripts.\nWhat to do: stop `npm run demo`, and run the same again.");
    }
    await buildClient();
    await installPackages(APP);
    log("[build] the app of examples/nextjs (about 30 s)");
    const env = { ...environment(), NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" };
    await run("node", [NEXT, "build"], { cwd: APP, env, advice: "see what Next.js says above." });
    writeFileSync(STAMP, inputs);
  });
}
