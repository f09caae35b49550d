// The code of a document, as the compiler sees it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { environment } from "../../../scripts/setup/environment.mjs";

export interface SourceFile {
  path: string;
  code: string;
}

/** Its files: each block of code begins with its path. */
export function filesOf(document: string): SourceFile[] {
  const text = readFileSync(document, "utf8");
  return [...text.matchAll(/^```tsx?\n([^]*?)^```$/gm)].map(([, code = ""]) => {
    const path = /^\/\/ (\S+)\n/.exec(code)?.[1];
    assert(path !== undefined, `a block begins with no path:\n${code.slice(0, 200)}`);
    return { path, code };
  });
}

/** What the compiler says of files, in a folder of their own. */
export function compiled(t: TestContext, compilerOptions: object, files: SourceFile[]) {
  const folder = mkdtempSync(join(tmpdir(), "towline-document-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const { path, code } of [...files, { path: "tsconfig.json", code: JSON.stringify({ compilerOptions }) }]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), code);
  }
  return spawnSync("tsc", ["-p", folder], { env: environment(), encoding: "utf8" });
}
