#!/usr/bin/env bash
# workerd (Wrangler 4.164.0): a header of a request that is there and empty.
#
# Expected: `headers.get(name)` is "", as the Fetch standard has it, whatever the name.
# Seen:     it is null for the names that the runtime has in its own table (`If-Match`, `If-None-Match`, `Authorization`, `Cookie`, `Origin` …),
#           and "" for all others. So a client that sends `If-Match:` with nothing behind it, as from a variable that was never set, changes
#           what it meant to change only where it is as it has seen it; and nothing in a Worker can tell.
# What to do: a client leaves the header out or has an ETag for it; the description says that an empty one is none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --save-exact wrangler@4.164.0
cat >worker.js <<'JS'
export default {
  fetch: ({ headers }) => Response.json({ known: headers.get("if-match"), other: headers.get("idempotency-key") }),
};
JS
cat >config.capnp <<'CAPNP'
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [(name = "worker", esModule = embed "worker.js")], compatibilityDate = "2026-11-17"))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
CAPNP
cat >finding.mjs <<'JS'
import { spawn } from "node:child_process";
import { request } from "node:http";

const workerd = spawn("node_modules/.bin/workerd", ["serve", "config.capnp", "--control-fd=1"], { stdio: ["ignore", "pipe", "inherit"] });
workerd.stdout.on("data", (line) => {
  const [, port] = /"port":(\d+)/.exec(String(line)) ?? [];
  if (port === undefined) return;
  request({ port, host: "127.0.0.1", headers: { "if-match": "", "idempotency-key": "" } }, async (answer) => {
    let text = "";
    for await (const chunk of answer) text += chunk;
    workerd.kill();
    console.log(text);
    const { known, other } = JSON.parse(text);
    process.exit(known === null && other === "" ? 0 : 1);
  }).end();
});
JS
node finding.mjs
