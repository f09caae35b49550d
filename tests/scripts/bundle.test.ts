import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/setup/environment.mjs";

/** Asks for the bundle twice, and says where it is and what is in it. */
const PROGRAM = `
  import { readdirSync } from "node:fs";
  import { bundleWorker } from ${JSON.stringify(new URL("../../scripts/testing/bundle.mjs", import.meta.url).href)};
  const [folder, again] = await Promise.all([bundleWorker(), bundleWorker()]);
  console.log(JSON.stringify({ folder, again, names: readdirSync(folder) }));
`;

async function bundle() {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", PROGRAM]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as { folder: string; again: string; names: string[] };
}

test("processes that bundle at the same time are not in each other's way, and leave nothing behind", async () => {
  const dead = spawnSync(process.execPath, ["--version"]).pid;
  const left = join(ROOT, "out", `bundle-${dead}`);
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, "entry.js"), "");

  const [one, other] = await Promise.all([bundle(), bundle()]);
  assert.notEqual(one.folder, other.folder);
  for (const { folder, again, names } of [one, other]) {
    assert.equal(again, folder);
    assert.ok(names.includes("entry.js") && names.some((name) => name.endsWith(".wasm")), String(names));
    assert.ok(!existsSync(folder));
  }
  assert.ok(!existsSync(left), "nor does one that was killed, for longer");
});
