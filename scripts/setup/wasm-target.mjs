// The standard library of the wasm target: from rustup, or, where that is refused, built from Debian's Rust.

import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment, LINKED_TOOLCHAIN, output, ROOT, WASM_TARGET, wasmToolchain } from "./environment.mjs";
import { Failure, log, run } from "./steps.mjs";

/** Debian's Rust for browsers; clippy is there for the linters, which must be of the same version. */
const PACKAGES = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];
const RUSTLIB = "/usr/lib/rustlib";

/** @type {import("./steps.mjs").Step} */
export const wasmTarget = {
  what: `Rust's ${WASM_TARGET}`,
  takes: "10 s; 2 minutes where rustup's download is refused",
  done: () => wasmToolchain() !== undefined,
  run: async () => {
    try {
      await run("rustup", ["target", "add", WASM_TARGET], { advice: "see whether rustup reaches its server." });
    } catch (refusal) {
      if (!(refusal instanceof Failure) || output("apt-cache", ["show", ...PACKAGES]) === undefined) throw refusal;
      log(`  rustup could not add it. Building it from Debian's packages instead: ${PACKAGES.join(", ")}.`);
      await fromDebian();
    }
  },
};

/**
 * Debian has a newer compiler with the sources of its standard library, but not the library for this target. It is
 * built from these, put beside the compiler's other targets, and the whole linked as a toolchain of rustup's.
 */
async function fromDebian() {
  if (PACKAGES.some((name) => !output("dpkg-query", ["-W", "-f=${Status}", name])?.includes("install ok installed"))) {
    await asRoot([
      ["apt-get", "update"],
      // --no-remove: rather fail than replace a compiler that somebody chose.
      ["apt-get", "install", "-y", "--no-install-recommends", "--no-remove", ...PACKAGES],
    ]);
  }
  const host = /^host: (.+)$/m.exec(output("/usr/bin/rustc", ["-vV"]) ?? "")?.[1];
  if (host === undefined) throw new Failure("/usr/bin/rustc does not say which machine it is for: reinstall rustc-web.");
  const linker = join(RUSTLIB, host, "bin", "rust-lld");
  if (!existsSync(linker)) {
    await asRoot([
      ["mkdir", "-p", join(RUSTLIB, host, "bin")],
      ["ln", "-sf", lld(host), linker],
    ]);
  }
  const lib = join(RUSTLIB, WASM_TARGET, "lib");
  if (!existsSync(lib)) {
    const built = await buildStd();
    // Renamed at the end: a copy that was interrupted must not look like one that is whole.
    await asRoot([
      ["mkdir", "-p", join(RUSTLIB, WASM_TARGET)],
      ["cp", "-rT", built, `${lib}.new`],
      ["mv", `${lib}.new`, lib],
    ]);
  }
  rmSync(scratch(), { recursive: true, force: true });
  await run("rustup", ["toolchain", "link", LINKED_TOOLCHAIN, "/usr"], {
    advice: "install rustup, which is what keeps the two compilers apart.",
  });
}

/**
 * Builds the standard library for wasm as the dependency of an empty crate.
 * @returns {Promise<string>} the folder of its libraries
 */
async function buildStd() {
  const crate = scratch();
  mkdirSync(join(crate, "src"), { recursive: true });
  // A workspace of its own, so that cargo does not look for it in ours.
  writeFileSync(join(crate, "Cargo.toml"), '[workspace]\n[package]\nname = "empty"\nedition = "2024"\n');
  writeFileSync(join(crate, "src", "lib.rs"), "#![no_std]\n");
  const args = ["build", "-Zbuild-std=std,panic_abort", "--target", WASM_TARGET, "--release"];
  const { RUSTUP_TOOLCHAIN, CARGO_TARGET_DIR, ...env } = environment();
  await run("/usr/bin/cargo", args, {
    cwd: crate,
    // Without bitcode in it, link-time optimisation of the Worker fails.
    env: { ...env, RUSTC: "/usr/bin/rustc", RUSTFLAGS: "-Cembed-bitcode=yes", RUSTC_BOOTSTRAP: "1" },
    advice: "check that cargo reaches its registry, then run the same again.",
  });
  const deps = join(crate, "target", WASM_TARGET, "release", "deps");
  const libraries = join(crate, "lib");
  for (const name of readdirSync(deps).filter((name) => name.endsWith(".rlib") && !name.startsWith("libempty-"))) {
    cpSync(join(deps, name), join(libraries, name));
  }
  return libraries;
}

/**
 * A linker for wasm: that of the machine's own Rust, or Debian's.
 * @param {string} host
 */
function lld(host) {
  const sysroot = output("rustc", ["--print", "sysroot"]) ?? "";
  const own = join(sysroot, "lib", "rustlib", host, "bin", "rust-lld");
  if (existsSync(own)) return own;
  const debian = readdirSync("/usr/bin").filter((name) => /^(rust-)?lld(-\d+)?$/.test(name)).sort();
  if (debian.length > 0) return join("/usr/bin", /** @type {string} */ (debian.at(-1)));
  throw new Failure("There is no rust-lld.\nWhat to do: sudo apt-get install lld-22, then run the same again.");
}

/**
 * Runs commands that change the machine. Who is not root is asked to: nothing here calls sudo.
 * @param {string[][]} commands
 */
async function asRoot(commands) {
  if (process.getuid?.() !== 0) {
    const shown = commands.map((command) => `  sudo ${command.join(" ")}`).join("\n");
    throw new Failure(`These commands need root, so please run them yourself, then the same again:\n${shown}`);
  }
  for (const [command = "", ...args] of commands) {
    await run(command, args, {
      env: { ...environment(), DEBIAN_FRONTEND: "noninteractive" },
      advice: "see the output above; set-up starts again where it stopped.",
    });
  }
}

function scratch() {
  return join(ROOT, "target", "wasm-std");
}
