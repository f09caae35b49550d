// Where things are in this clone, and the environment in which its tools find each other.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the clone. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** npm's programs: the Node that Wrangler accepts, wrangler, esbuild, wasm-opt, tsc. */
export const NPM_BIN = join(ROOT, "node_modules", ".bin");

/** The programs that `cargo install` puts into the clone. */
export const TOOLS = join(ROOT, ".tools");

/** The target that the Worker is compiled for. */
export const WASM_TARGET = "wasm32-unknown-unknown";

/** The rustup toolchain that set-up links where rustup's own cannot get the target: of use for that target alone. */
export const LINKED_TOOLCHAIN = "towline-wasm";

/**
 * The environment for everything but the wasm build. npm's programs come first, so `node` is the one that Wrangler
 * accepts, whichever Node runs this; rustup's are found even where the shell has not been restarted since it came.
 * @returns {NodeJS.ProcessEnv}
 */
export function environment() {
  const cargo = join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "bin");
  const path = [NPM_BIN, ...(process.env.PATH ?? "").split(delimiter).filter((dir) => dir !== NPM_BIN)];
  if (!path.includes(cargo) && existsSync(join(cargo, "cargo"))) path.push(cargo);
  return { ...process.env, PATH: path.join(delimiter) };
}

/**
 * The environment of whatever compiles to wasm: worker-build finds its helpers instead of downloading them, and the
 * linked toolchain stands in where the machine's own lacks the target.
 * @returns {NodeJS.ProcessEnv}
 */
export function wasmEnvironment() {
  const env = {
    ...environment(),
    WASM_BINDGEN_BIN: join(TOOLS, "bin", "wasm-bindgen"),
    WASM_OPT_BIN: join(NPM_BIN, "wasm-opt"),
    ESBUILD_BIN: join(NPM_BIN, "esbuild"),
  };
  const toolchain = wasmToolchain();
  return toolchain === "linked" ? { ...env, RUSTUP_TOOLCHAIN: LINKED_TOOLCHAIN } : env;
}

/**
 * Which toolchain has the standard library of the wasm target: the machine's own, the linked one, or none.
 * @returns {"own" | "linked" | undefined}
 */
export function wasmToolchain() {
  if (hasWasmTarget(environment())) return "own";
  if (hasWasmTarget({ ...environment(), RUSTUP_TOOLCHAIN: LINKED_TOOLCHAIN })) return "linked";
  return undefined;
}

/** @param {NodeJS.ProcessEnv} env */
function hasWasmTarget(env) {
  const lib = output("rustc", ["--print", "target-libdir", "--target", WASM_TARGET], env);
  return lib !== undefined && existsSync(lib) && readdirSync(lib).some((name) => name.startsWith("libstd-"));
}

/**
 * What a short command prints, trimmed; nothing where it is missing or fails.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function output(command, args, env = environment()) {
  try {
    return execFileSync(command, args, { env, cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
