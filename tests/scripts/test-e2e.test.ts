// `npm run test:e2e` uses a key of Ably's only where the app is named too. All of this is refused before anything is set up.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../scripts/test-e2e.mjs", import.meta.url));
const SECRET = "S3cretThatNobodySees";

function run(key: string | undefined, ...args: string[]) {
  const env = { ...process.env, ABLY_API_KEY: key };
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { env, encoding: "utf8", timeout: 60_000 });
  return { status, said: stdout + stderr };
}

for (const [what, key, args, says] of [
  ["no key", undefined, ["--app=AbCdEf"], /What to do: ABLY_API_KEY=/],
  ["an empty key", "", ["--app=AbCdEf"], /What to do: ABLY_API_KEY=/],
  ["no app", `AbCdEf.key1:${SECRET}`, [], /What to do: .*--app=<appId>/],
  ["an empty app", `AbCdEf.key1:${SECRET}`, ["--app="], /What to do: .*--app=<appId>/],
  ["an app in another form", `AbCdEf.key1:${SECRET}`, ["AbCdEf"], /What to do: .*--app=<appId>/],
  ["a key of another app", `AbCdEf.key1:${SECRET}`, ["--app=XyZxYz"], /a key of app AbCdEf, and --app says XyZxYz: nothing was run/],
  ["an app that only begins the same", `AbCdEf.key1:${SECRET}`, ["--app=AbCdE"], /nothing was run/],
  ["something that is no key", `AbCdEf${SECRET}`, ["--app=AbCdEf"], /ABLY_API_KEY is no Ably key/],
] as const) {
  test(`the end-to-end tests against Ably itself are refused with ${what}`, () => {
    const { status, said } = run(key, ...args);
    assert.equal(status, 1, said);
    assert.match(said, says);
    assert.ok(!said.includes(SECRET), "the secret stays secret");
  });
}
