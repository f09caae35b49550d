// What a page pays for: minified, compressed, without Ably and React, which are others'.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const CLIENT = join(import.meta.dirname, "..");
const ENTRY = "<stdin>";

interface Bundle {
  /** Compressed bytes: of what is loaded at once, of what is when something is first watched, and of what is besides where Ably is used. */
  size: number;
  watching: number;
  byAbly: number;
  /** The files of ours that are loaded at once, and what is others'. */
  inputs: string[];
  imports: string[];
}

/** Bundles a page that uses these exports of entries, each `name from entry`. */
async function bundle(...uses: string[]): Promise<Bundle> {
  const names = uses.flatMap((use) => (/^\*/.test(use) ? [] : (use.split(" from ")[0]?.split(", ") ?? [])));
  const lines = uses.map((use) => {
    const [what, entry] = use.split(" from ");
    return what === "*" ? `export * from "./${entry}.ts";` : `import { ${what} } from "./${entry}.ts";`;
  });
  const stdin = { contents: [...lines, `globalThis.page = [${names}];`].join("\n"), resolveDir: join(CLIENT, "src") };
  const external = ["ably", "react", "react-dom"];
  const { outputFiles, metafile } = await build({ stdin, external, bundle: true, splitting: true, outdir: "/out", minify: true, write: false, metafile: true, format: "esm", target: "es2022" });
  const all = new Map(Object.entries(metafile.outputs).map(([path, output], n) => [path, { ...output, size: gzipSync(outputFiles[n]?.contents ?? "", { level: 9 }).length }]));
  const [first] = [...all].flatMap(([path, { entryPoint }]) => (entryPoint === ENTRY ? [path] : []));
  const atOnce = new Set([first]);
  for (const path of atOnce) for (const { path: next, kind } of all.get(path ?? "")?.imports ?? []) if (kind === "import-statement" && all.has(next)) atOnce.add(next);
  const chunks = [...all].filter(([path]) => atOnce.has(path)).map(([, chunk]) => chunk);
  const size = (some: { size: number }[]) => some.reduce((sum, { size }) => sum + size, 0);
  const later = [...all].filter(([path]) => !atOnce.has(path)).map(([, chunk]) => chunk);
  const isAblys = ({ inputs }: { inputs: object }) => Object.keys(inputs).some((path) => path.includes("client/ably/"));
  return {
    size: size(chunks),
    watching: size(later.filter((chunk) => !isAblys(chunk))),
    byAbly: size(later.filter(isAblys)),
    inputs: chunks.flatMap(({ inputs }) => Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : []))),
    imports: chunks.flatMap(({ imports }) => imports.flatMap(({ path }) => (all.has(path) ? [] : [path]))),
  };
}

/** What the README says, in KB, by the words that stand there. */
function said(): Map<string, number> {
  const text = readFileSync(join(CLIENT, "README.md"), "utf8");
  const table = text.slice(text.indexOf("## Sizes"));
  return new Map([...table.matchAll(/^\| (.+?) \| ([\d.]+) \|$/gm)].map(([, what = "", kb]) => [what, Number(kb)]));
}

test("all of the main entry with all hooks is at most 7 KB when a page is loaded", async (t) => {
  const { size, watching, byAbly } = await bundle("* from index", "* from react/index");
  t.diagnostic(`main entry and hooks: ${size} bytes, ${watching} when something is watched, ${byAbly} with Ably`);
  assert.ok(size <= 7 * 1024, `${size} bytes`);
});

test("the README's sizes are so", async () => {
  const job = await bundle("createTowline, watchJob from index");
  const hooks = await bundle("createTowline from index", "TowlineProvider, useJob from react/index");
  const all = await bundle("* from index", "* from react/index");
  const driver = await bundle("createTowline from index", "createDriver from driver/index");
  const are = {
    "`createTowline` and `watchJob`": job.size,
    "`createTowline`, `TowlineProvider` and `useJob`": hooks.size,
    "all of the main entry, and all hooks": all.size,
    "more, when something is first watched": all.watching,
    "and more, where that is by Ably": all.byAbly,
    "`createTowline` and the driver": driver.size,
  };
  const known = said();
  const wrong = Object.entries(are).filter(([what, size]) => !(Math.abs(size / 1024 - (known.get(what) ?? 0)) < 0.2));
  assert.deepEqual(wrong.map(([what, size]) => `| ${what} | ${(size / 1024).toFixed(1)} |`), []);
});

test("the driver stands apart, and needs nothing of others", async () => {
  const main = await bundle("* from index", "* from react/index");
  assert.deepEqual(main.inputs.filter((path) => /driver\//.test(path)), []);
  const driver = await bundle("* from driver/index");
  assert.deepEqual(driver.imports, []);
  assert.deepEqual(driver.inputs.filter((path) => /(react|view|feeds)\//.test(path)), []);
});

test("a page that watches a job has neither hooks, board nor driver, and Ably's part only when it uses Ably", async () => {
  const { inputs, imports } = await bundle("createTowline, watchJob from index");
  assert.deepEqual(imports, []);
  assert.deepEqual(inputs.filter((path) => /(react|driver|ably)\/|(board|duty|notifications|glide)\.ts$/.test(path)), []);
});
