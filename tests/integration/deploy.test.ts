// What `wrangler deploy` would upload.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
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

test("wrangler deploy --dry-run puts out no secret and no development value, with .dev.vars and .env beside it", async () => {
  const clone = mkdtempSync(join(tmpdir(), "towline-deploy-"));
  try {
    copyFileSync(join(ROOT, "wrangler.toml"), join(clone, "wrangler.toml"));
    for (const name of ["build", "scripts", "src"]) symlinkSync(join(ROOT, name), join(clone, name));
    const lines = Object.entries(SETTINGS).map(([name, value]) => `${name}="${value}"\n`).join("");
    for (const name of [".dev.vars", ".env"]) writeFileSync(join(clone, name), lines);
    const env = { ...environment(), ...SETTINGS, WRANGLER_SEND_METRICS: "false", WRANGLER_WRITE_LOGS: "false" };
    const { stdout, stderr } = await promisify(execFile)(join(NPM_BIN, "wrangler"), ["deploy", "--dry-run", "--outdir", "out"], { cwd: clone, env });
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

test("wrangler.toml holds no variable and no development value, and leaves out the runtime's own log of requests", () => {
  const text = readFileSync(join(ROOT, "wrangler.toml"), "utf8");
  assert.ok(!/^\s*\[.*vars|secret|127\.0\.0\.1|localhost|8787|8788/im.test(text));
  assert.match(text, /^invocation_logs = false$/m);
});
