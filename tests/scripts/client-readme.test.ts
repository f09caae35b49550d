// The code of the client's README, as the compiler sees it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { compiled, filesOf, type SourceFile } from "./support/documents.ts";

const CLIENT = join(ROOT, "clients/typescript");
const MODULES = join(ROOT, "node_modules");

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

const STANDING_IN = Object.entries(STAND_INS).map(([path, code]) => ({ path, code }));
const files = () => filesOf(join(CLIENT, "README.md"));
const check = (t: TestContext, all: SourceFile[]) => compiled(t, OPTIONS, [...all, ...STANDING_IN]);

test("the code of the client's README has no error of types", (t) => {
  const { status, stdout } = check(t, files());
  assert.equal(status, 0, stdout);
});

test("what the client does not have would be one", (t) => {
  const broken = files().map(({ path, code }) => ({ path, code: code.replace("useAge(job)", "useYears(job)").replace("<Vehicle jobId={jobId}", "<Vehicle") }));
  const { stdout } = check(t, broken);
  assert.match(stdout, /vehicle\.tsx.*useYears|vehicle\.tsx.*error/);
  assert.match(stdout, /page\.tsx.*jobId/);
});
