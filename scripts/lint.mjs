// `npm run lint`: formatting, clippy for the host and for wasm, and the types of scripts, tests and the client.

import { spawnSync } from "node:child_process";
import { setup } from "./setup/all.mjs";
import { environment, ROOT, WASM_TARGET, wasmEnvironment } from "./setup/environment.mjs";
import { log, script } from "./setup/steps.mjs";

const DENY = ["--locked", "--", "-D", "warnings"];
/** The crates that the Worker is made of. */
const WASM_CRATES = ["towline", "reqwest-shim", "ably"].flatMap((name) => ["-p", name]);

await script(async () => {
  await setup();
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
  ];
  const failed = linters.filter(([command, args, env]) => {
    log(`\n=== ${command} ${args.join(" ")}`);
    return spawnSync(command, args, { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] }).status !== 0;
  });
  for (const [command, args] of failed) log(`failed: ${command} ${args.join(" ")}`);
  return failed.length === 0 ? 0 : 1;
});
