// `npm run lint`: formatting, clippy for the host and for wasm, the types of scripts, tests, the client and the app, and that the app has no `any`.

import { spawnSync } from "node:child_process";
import { setup } from "./setup/all.mjs";
import { APP, NEXT } from "./setup/app.mjs";
import { buildClient } from "./setup/client.mjs";
import { installPackages } from "./setup/folder-packages.mjs";
import { environment, ROOT, WASM_TARGET, wasmEnvironment } from "./setup/environment.mjs";
import { log, script } from "./setup/steps.mjs";

const DENY = ["--locked", "--", "-D", "warnings"];
/** The crates that the Worker is made of. */
const WASM_CRATES = ["towline", "reqwest-shim", "ably"].flatMap((name) => ["-p", name]);

await script(async () => {
  await setup();
  await installPackages(APP);
  // The app sees the client as it is packed.
  await buildClient();
  /** @type {[string, string[], NodeJS.ProcessEnv][]} */
  const linters = [
    ["cargo", ["fmt", "--all", "--check"], environment()],
    // A workspace of its own, whose dependencies a lint is not worth.
    ["cargo", ["fmt", "--check", "--manifest-path", "tests/sdks/rust/Cargo.toml"], environment()],
    ["cargo", ["clippy", "--workspace", "--all-targets", ...DENY], environment()],
    ["cargo", ["clippy", ...WASM_CRATES, "--target", WASM_TARGET, ...DENY], wasmEnvironment()],
    ["tsc", [], environment()],
    ["tsc", ["-p", "crates/local-ably/page"], environment()],
    ["tsc", ["-p", "clients/typescript"], environment()],
    ["node", [NEXT, "typegen", APP], { ...environment(), NEXT_TELEMETRY_DISABLED: "1" }],
    ["tsc", ["-p", APP], environment()],
    ["node", ["scripts/linting/no-any.mjs", APP], environment()],
  ];
  const failed = linters.filter(([command, args, env]) => {
    log(`\n=== ${command} ${args.join(" ")}`);
    return spawnSync(command, args, { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] }).status !== 0;
  });
  for (const [command, args] of failed) log(`failed: ${command} ${args.join(" ")}`);
  return failed.length === 0 ? 0 : 1;
});
