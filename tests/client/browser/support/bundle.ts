// The pages as a bundler makes them: for the browser, and for the server that renders them first.

import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../../../../scripts/setup/environment.mjs";
import type { Config } from "./site.ts";

const PAGES = join(import.meta.dirname, "..", "pages");
const NAMES = ["watch.tsx", "dispatch.tsx", "driver.ts", "bare.ts"];

/** React's development build: it is StrictMode's doubles and its warnings that are wanted. */
const COMMON = { bundle: true, write: false, format: "esm", jsx: "automatic", define: { "process.env.NODE_ENV": '"development"' } } as const;

/** The scripts of all pages, by their path. */
export async function browserScripts(): Promise<Map<string, string>> {
  const entryPoints = NAMES.map((name) => join(PAGES, name));
  const { outputFiles } = await build({ ...COMMON, entryPoints, splitting: true, outdir: "/scripts", target: "es2022" });
  return new Map(outputFiles.map(({ path, text }) => [`/scripts/${basename(path)}`, text]));
}

/** Renders the page of a user's jobs, as a server does. */
export async function serverRendering(): Promise<(config: Config) => string> {
  const contents = `
    import { renderToString } from "react-dom/server";
    import { page } from "./watching.tsx";
    export const render = (config) => renderToString(page(config));
  `;
  const folder = join(ROOT, "out");
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `page-${randomUUID()}.mjs`);
  try {
    const stdin = { contents, resolveDir: PAGES };
    await build({ ...COMMON, stdin, write: true, outfile, platform: "node", packages: "external" });
    return ((await import(outfile)) as { render: (config: Config) => string }).render;
  } finally {
    rmSync(outfile, { force: true });
  }
}
