// A part of the app by itself, as its bundler would have it: modules of the app name each other without endings.

import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { build } from "esbuild";
import { APP } from "../../../scripts/setup/app.mjs";
import { ROOT } from "../../../scripts/setup/environment.mjs";

/** Loads what such contents export; they name the app's modules from its root: `export * from "./session/link"`. */
export async function loadModules<T>(contents: string): Promise<T> {
  const folder = join(ROOT, "out", `modules-${randomUUID()}`);
  mkdirSync(folder, { recursive: true });
  try {
    const outfile = join(folder, "modules.cjs");
    const stdin = { contents, resolveDir: APP, loader: "tsx" } as const;
    await build({ stdin, bundle: true, outfile, format: "cjs", platform: "node", jsx: "automatic", tsconfig: join(APP, "tsconfig.json"), logLevel: "error" });
    return createRequire(outfile)(outfile) as T;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
