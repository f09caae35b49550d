// The Worker, built.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NPM_BIN, output, ROOT, TOOLS, wasmEnvironment } from "./environment.mjs";
import { hashOf } from "./inputs.mjs";
import { oneAtATime } from "./one-at-a-time.mjs";
import { npmPackages } from "./packages.mjs";
import { cargoTools, rust } from "./rust.mjs";
import { Failure, log, perform, run } from "./steps.mjs";
import { wasmTarget } from "./wasm-target.mjs";

/** What the Worker is made of; what is not there does not count. The local Ably is no part of it. */
const INPUTS = ["Cargo.toml", "Cargo.lock", "package-lock.json", "build.rs", "policy.toml", "description", ".cargo", "src", "crates"];
const NOT_INPUTS = ["crates/local-ably"];

const BUILD = join(ROOT, "build");
const WASM = join(BUILD, "index_bg.wasm");
const RESULTS = [join(BUILD, "index.js"), WASM];
/** Says what the results were made from. */
const STAMP = join(BUILD, ".inputs");
const AT_WORK = join(BUILD, ".at-work");

/** Builds the Worker where it is not up to date. */
export async function buildWorker() {
  // Wrangler may be what calls this, and runs from these packages: they must not be replaced here.
  if (!npmPackages.done()) throw new Failure("npm's packages are not those of package-lock.json.\nWhat to do: npm run setup");
  await perform([rust, wasmTarget, cargoTools]);
  const env = wasmEnvironment();
  const facts = [output("rustc", ["-vV"], env) ?? "", env.RUSTFLAGS ?? ""];
  if (upToDate(fingerprint(ROOT, facts))) return;
  const build = async () => {
    // The hash is taken before the build: what changes meanwhile is built the next time.
    const inputs = fingerprint(ROOT, facts);
    if (upToDate(inputs)) return;
    log("[build] the Worker (about 2 minutes the first time, 30 s after a change)");
    await run(join(TOOLS, "bin", "worker-build"), ["--release", ".", "--locked"], {
      env,
      advice: "mend what the compiler complains about, then run the same again.",
    });
    // worker-build keeps the names of functions, which are a fourteenth of what is deployed. Nothing panics, so nobody reads them.
    await run(join(NPM_BIN, "wasm-opt"), ["--strip-debug", "--strip-producers", WASM, "-o", WASM], { env, advice: "run the same again." });
    writeFileSync(STAMP, inputs);
  };
  // worker-build itself waits for another, but then does the work again, and of two that wait both begin.
  await oneAtATime(AT_WORK, build, () => log("[build] the Worker: another process is at it, and this one waits"));
}

/**
 * Whether the results were made from these inputs.
 * @param {string} inputs
 */
function upToDate(inputs) {
  return RESULTS.every((path) => existsSync(path)) && existsSync(STAMP) && readFileSync(STAMP, "utf8") === inputs;
}

/**
 * A hash over what the Worker is made from.
 * @param {string} root
 * @param {string[]} facts about the tools
 */
export function fingerprint(root, facts) {
  return hashOf(root, INPUTS, { except: NOT_INPUTS, facts });
}
