// What is tested is what people install.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { APP } from "../../scripts/setup/app.mjs";
import { recipe } from "./support/app.ts";

const packages = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<"dependencies" | "devDependencies", Record<string, string>>;
const { dependencies: tested } = packages(import.meta.dirname);

test("the recipes are tested with the packages of the app", () => {
  const { dependencies, devDependencies } = packages(APP);
  // That one is packed anew.
  const { "@towline/client": _, ...apps } = { ...dependencies, ...devDependencies };
  for (const [name, version] of Object.entries(apps)) assert.equal(tested[name], version, name);
});

for (const heading of ["Auth.js", "Clerk", "Supabase"]) {
  test(`for ${heading} the README installs what is tested`, () => {
    const installed = recipe(heading).commands.flatMap((line) => [...line.matchAll(/(\S+)@(\d\S*)/g)]);
    assert.ok(installed.length > 0);
    for (const [, name = "", version] of installed) assert.equal(tested[name], version, name);
  });
}
