// The README's code, as the compiler sees it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";

const CLIENT = join(import.meta.dirname, "..");
const MODULES = join(CLIENT, "..", "..", "node_modules");

/** What the README takes from Next.js, and from `docs/nextjs.md`. */
const STAND_INS = {
  "next.d.ts": 'declare module "next/navigation" { export function notFound(): never; export function redirect(to: string): never; }',
  "app/session.ts": "export declare function session(): Promise<{ user: string; token: string } | undefined>;",
};

const OPTIONS = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  target: "es2022",
  lib: ["es2023", "dom", "dom.iterable"],
  module: "esnext",
  moduleResolution: "bundler",
  allowImportingTsExtensions: true,
  jsx: "react-jsx",
  skipLibCheck: true,
  types: ["node"],
  typeRoots: [join(MODULES, "@types")],
  paths: {
    "@towline/client": [join(CLIENT, "src/index.ts")],
    "@towline/client/*": [join(CLIENT, "src/*/index.ts")],
    ably: [join(MODULES, "ably")],
    react: [join(MODULES, "@types/react")],
    "react/*": [join(MODULES, "@types/react/*")],
  },
};

/** Its files: each block of code begins with its path. */
function files() {
  const text = readFileSync(join(CLIENT, "README.md"), "utf8");
  return [...text.matchAll(/^```tsx?\n([^]*?)^```$/gm)].map(([, code = ""]) => {
    const path = /^\/\/ (\S+)\n/.exec(code)?.[1];
    assert(path !== undefined, `a block begins with no path:\n${code.slice(0, 200)}`);
    return { path, code };
  });
}

/** What the compiler says of files, in a folder of their own. */
function check(t: TestContext, all: { path: string; code: string }[]) {
  const folder = mkdtempSync(join(tmpdir(), "towline-readme-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const others = Object.entries({ ...STAND_INS, "tsconfig.json": JSON.stringify({ compilerOptions: OPTIONS }) });
  for (const { path, code } of [...all, ...others.map(([path, code]) => ({ path, code }))]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), code);
  }
  return spawnSync(join(MODULES, ".bin/tsc"), ["-p", folder], { encoding: "utf8" });
}

test("the README's code has no error of types", (t) => {
  const { status, stdout } = check(t, files());
  assert.equal(status, 0, stdout);
});

test("what the client does not have would be one", (t) => {
  const broken = files().map(({ path, code }) => ({ path, code: code.replace("useAge(job)", "useYears(job)").replace("<Vehicle jobId={jobId}", "<Vehicle") }));
  const { stdout } = check(t, broken);
  assert.match(stdout, /vehicle\.tsx.*useYears|vehicle\.tsx.*error/);
  assert.match(stdout, /page\.tsx.*jobId/);
});
