#!/usr/bin/env bash
# workerd (Wrangler 4.164.0): what a Durable Object writes to the body of a response that has begun, in a turn that writes to its storage.
#
# Expected: nothing of it leaves before the write is durable, as no answer and no outbound request does.
# Seen:     it is so where the write is a plain one: where its commit fails, the chunk was never seen. workerd's own streams wait for the
#           output gate at each write (WritableStreamInternalController, src/workerd/api/streams/internal.c++), which nothing documents.
#           Inside an open transaction the chunk leaves at once, though the transaction fails afterwards.
# What to do: write to a stream after `await storage.sync()`, and never in a transaction.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --save-exact wrangler@4.164.0
cat >worker.js <<'JS'
import { DurableObject } from "cloudflare:workers";
// The next row's commit fails, and no statement does.
const FAIL = [
  "CREATE TABLE log (n INTEGER PRIMARY KEY)",
  "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
  "CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
  "CREATE TRIGGER fail AFTER INSERT ON log BEGIN INSERT INTO child VALUES (1); END",
];
export class One extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    const write = (text) => this.writer.write(new TextEncoder().encode(text)).catch(() => {});
    switch (new URL(request.url).pathname) {
      case "/begin": {
        for (const statement of FAIL) storage.sql.exec(statement);
        await storage.sync();
        const { readable, writable } = new IdentityTransformStream();
        this.writer = writable.getWriter();
        write("begun ");
        return new Response(readable);
      }
      case "/plain":
        storage.sql.exec("INSERT INTO log VALUES (1)");
        write("told");
        return new Response("answered");
      default:
        storage.transaction(async () => {
          storage.sql.exec("INSERT INTO log VALUES (1)");
          write("told");
          await new Promise((resolve) => setTimeout(resolve, 300));
        }).catch(() => {});
        return new Response("answered");
    }
  }
}
export default { fetch: (request, env) => env.ONE.get(env.ONE.idFromName(request.headers.get("x-name"))).fetch(request) };
JS
cat >wrangler.toml <<'TOML'
name = "finding"
main = "worker.js"
compatibility_date = "2026-11-17"
[[durable_objects.bindings]]
name = "ONE"
class_name = "One"
[[migrations]]
tag = "1"
new_sqlite_classes = ["One"]
TOML
cat >finding.mjs <<'JS'
import { createTestHarness } from "wrangler";

const harness = createTestHarness({ root: ".", workers: [{ configPath: "wrangler.toml" }] });
const { url } = await harness.listen();
const seen = {};
for (const way of ["plain", "transaction"]) {
  const go = (path) => fetch(new URL(path, url), { headers: { "x-name": way, "accept-encoding": "identity" } });
  const stream = await go("/begin");
  seen[way] = "";
  const reading = (async () => {
    for await (const chunk of stream.body) seen[way] += Buffer.from(chunk);
  })().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 200));
  await (await go(`/${way}`)).text();
  // A commit that fails takes the object with it, and the stream.
  await Promise.race([reading, new Promise((resolve) => setTimeout(resolve, 2_000))]);
}
await harness.close();
console.log(seen);
process.exit(seen.plain === "begun " && seen.transaction === "begun told" ? 0 : 1);
JS
WRANGLER_SEND_METRICS=false node finding.mjs 2>&1 | grep -v "^\["
exit "${PIPESTATUS[0]}"
