// Each statement of the log gives in the runtime's own SQLite what it gives in the one that the unit tests use: the runtime binds
// every number as a REAL, which the other does not.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createTestHarness } from "wrangler";
import { WRANGLER } from "../../scripts/dev/service.mjs";
import { ROOT } from "../../scripts/setup/environment.mjs";

Object.assign(process.env, WRANGLER);

/** An object that runs statements as the service's objects do. */
const WORKER = `
import { DurableObject } from "cloudflare:workers";
import { queryRows } from "./runtime.js";
const plain = (value) => (value instanceof ArrayBuffer ? { bytes: new TextDecoder().decode(value) } : value);
export class Storage extends DurableObject {
  run(statement, params) {
    return queryRows(this.ctx.storage.sql, statement, JSON.stringify(params)).map((row) => row.map(plain));
  }
}
export default {
  async fetch(request, env) {
    const object = env.STORAGE.get(env.STORAGE.idFromName("one"));
    const answers = [];
    for (const { statement, params } of await request.json()) answers.push(await object.run(statement, params));
    return Response.json(answers);
  },
};
`;

const CONFIG = `
name = "statements"
main = "worker.js"
compatibility_date = "2026-11-17"
[[durable_objects.bindings]]
name = "STORAGE"
class_name = "Storage"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Storage"]
`;

test("every statement gives what it gives elsewhere", async () => {
  const notes: { statement: string; params: unknown[]; rows: unknown[][] }[] = JSON.parse(
    readFileSync(join(ROOT, "tests/data/storage/statements.json"), "utf8"),
  );
  const folder = mkdtempSync(join(tmpdir(), "towline-statements-"));
  cpSync(join(ROOT, "src/edge/runtime.js"), join(folder, "runtime.js"));
  writeFileSync(join(folder, "worker.js"), WORKER);
  writeFileSync(join(folder, "wrangler.toml"), CONFIG);
  const harness = createTestHarness({ root: folder, workers: [{ configPath: "wrangler.toml" }] });
  try {
    const { url } = await harness.listen();
    const answer = await fetch(url, { method: "POST", body: JSON.stringify(notes) });
    const rows: unknown[][][] = await answer.json();
    assert.equal(rows.length, notes.length);
    for (const [index, note] of notes.entries()) assert.deepEqual(rows[index], note.rows, note.statement);
  } finally {
    await harness.close();
    rmSync(folder, { recursive: true });
  }
});
