// What `wrangler deploy` would upload.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { NPM_BIN, ROOT, environment } from "../../scripts/setup/environment.mjs";

/** Nothing else has these texts in it. */
const SETTINGS = {
  ABLY_API_KEY: "zq7Xapp.zq7Xkey:zq7Xdev-ably-secret",
  ABLY_PUBLISH_KEY: "zq7Xapp.zq7Xpub:zq7Xdev-publish-secret",
  ABLY_REST_URL: "http://127.0.0.1:58788",
  SESSION_SECRET: "zq7Xdev-session-secret-0123456789abcdef",
  SESSION_SECRET_PREVIOUS: "zq7Xdev-previous-secret-0123456789abcdef",
  SESSION_COOKIE: "zq7Xcookie",
  CORS_ORIGINS: "http://zq7Xpage.example:3000",
};

/** Runs `wrangler deploy --dry-run` in a folder beside this clone, with another wrangler.toml. */
async function dryRun(clone: string, toml: string, ...args: string[]) {
  writeFileSync(join(clone, "wrangler.toml"), toml);
  for (const name of ["build", "scripts", "src"]) symlinkSync(join(ROOT, name), join(clone, name));
  const env = { ...environment(), ...SETTINGS, WRANGLER_SEND_METRICS: "false", WRANGLER_WRITE_LOGS: "false" };
  return promisify(execFile)(join(NPM_BIN, "wrangler"), ["deploy", "--dry-run", "--outdir", "out", ...args], { cwd: clone, env });
}

const TOML = readFileSync(join(ROOT, "wrangler.toml"), "utf8");

test("wrangler deploy --dry-run puts out no secret and no development value, with .dev.vars and .env beside it", async () => {
  const clone = mkdtempSync(join(tmpdir(), "towline-deploy-"));
  try {
    const lines = Object.entries(SETTINGS).map(([name, value]) => `${name}="${value}"\n`).join("");
    for (const name of [".dev.vars", ".env"]) writeFileSync(join(clone, name), lines);
    const { stdout, stderr } = await dryRun(clone, TOML);
    assert.match(stdout, /env\.JOBS/, "it has bundled the Worker");

    const names = readdirSync(join(clone, "out"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.ok(names.some(({ name }) => name.endsWith(".wasm")) && names.some(({ name }) => name === "entry.js"));
    const output = [stdout, stderr, ...names.map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"))];
    for (const text of output) {
      assert.ok(!/zq7X/i.test(text));
      assert.ok(!text.includes("58788"));
    }
  } finally {
    rmSync(clone, { recursive: true });
  }
});

test("the staging environment of docs/deploy.md has all that production has, and its own variables", async () => {
  const [, block = ""] = /^## Staging$.*?^```toml\n(.*?)^```$/ms.exec(readFileSync(join(ROOT, "docs", "deploy.md"), "utf8")) ?? [];
  const clone = mkdtempSync(join(tmpdir(), "towline-staging-"));
  try {
    const production = '[vars]\nCORS_ORIGINS = "https://production.example"\n';
    const { stdout, stderr } = await dryRun(clone, `${TOML}\n${production}\n${block}`, "--env", "staging");
    const names = [...TOML.matchAll(/^name = "([A-Z_]+)"$/gm)].map(([, name]) => name);
    assert.ok(names.length >= 6);
    for (const name of [...names, "SESSION_COOKIE", "CORS_ORIGINS"]) assert.match(stdout, new RegExp(`^env\\.${name} `, "m"));
    assert.match(stdout, /"https:\/\/staging\.example\.com"/);
    assert.doesNotMatch(stdout + stderr, /production\.example|WARNING/);
    const limit = (toml: string) => /namespace_id = "(\d+)"/.exec(toml)?.[1];
    assert.notEqual(limit(block), limit(TOML));
  } finally {
    rmSync(clone, { recursive: true });
  }
});

test("wrangler.toml holds no variable and no development value, and leaves out the runtime's own log of requests", () => {
  assert.ok(!/^\s*\[.*vars|secret|DEV_HINTS|127\.0\.0\.1|localhost|8787|8788/im.test(TOML));
  assert.match(TOML, /^invocation_logs = false$/m);
});
