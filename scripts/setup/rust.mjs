// Rust itself, and the programs that turn the compiled wasm into a Worker.

import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { environment, output, ROOT, TOOLS } from "./environment.mjs";
import { Failure, run } from "./steps.mjs";

/** @type {import("./steps.mjs").Step} */
export const rust = {
  what: "Rust and a C compiler",
  takes: "a moment",
  done: () => missing() === undefined,
  run: async () => {
    throw new Failure(/** @type {string} */ (missing()));
  },
};

/** What to install, where something is missing: set-up does not choose a compiler for the machine. */
function missing() {
  const wanted = /^rust-version = "(.+)"$/m.exec(readFileSync(join(ROOT, "Cargo.toml"), "utf8"))?.[1] ?? "";
  const found = /^cargo (\d+\.\d+)/.exec(output("cargo", ["--version"]) ?? "")?.[1];
  if (found === undefined) {
    return `There is no Rust on this machine.\nWhat to do: install Rust ${wanted} or later with rustup (https://rustup.rs), then run the same again.`;
  }
  const [major = 0, minor = 0] = found.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
    return `Rust ${wanted} or later is needed; this is ${found}.\nWhat to do: rustup update stable`;
  }
  if (output("cc", ["--version"]) === undefined) {
    return "There is no C compiler (cc), which Rust links with.\nWhat to do: sudo apt-get install build-essential, or on macOS: xcode-select --install";
  }
  return undefined;
}

/** The two programs, each with the crate of Cargo.lock whose version it must have. */
export const workerBuild = cargoTool("worker-build", "worker", "worker-build", "2 minutes");
export const wasmBindgen = cargoTool("wasm-bindgen-cli", "wasm-bindgen", "wasm-bindgen", "80 s");

/**
 * A program that `cargo install` builds into the clone. Its output format belongs to one version of the library that
 * the Worker links, so that version is read from Cargo.lock and is said nowhere else.
 * @param {string} name the crate that holds it
 * @param {string} library the crate whose version it shares
 * @param {string} binary
 * @param {string} takes
 * @returns {import("./steps.mjs").Step}
 */
function cargoTool(name, library, binary, takes) {
  const version = () => lockedVersion(readFileSync(join(ROOT, "Cargo.lock"), "utf8"), library);
  const target = join(ROOT, "target", "tools");
  return {
    what: `${name} into .tools`,
    takes,
    done: () => output(join(TOOLS, "bin", binary), ["--version"])?.split(" ").at(-1) === version(),
    run: async () => {
      // A debug build takes a third of the time and runs fast enough. The target folder stays where this is
      // interrupted, so that the next run goes on from there.
      const args = ["install", name, "--version", version(), "--locked", "--debug", "--force", "--root", TOOLS];
      await run("cargo", [...args, "--target-dir", target], {
        env: { ...environment(), CARGO_PROFILE_DEV_DEBUG: "0" },
        advice: "check that cargo reaches crates.io and that the disk has 2 GB left, then run the same again.",
      });
      rmSync(target, { recursive: true, force: true });
    },
  };
}

/**
 * The version of a crate in a Cargo.lock.
 * @param {string} lock
 * @param {string} name
 */
export function lockedVersion(lock, name) {
  const version = new RegExp(`^name = "${name}"\\nversion = "(.+)"$`, "m").exec(lock)?.[1];
  if (version === undefined) throw new Failure(`Cargo.lock names no crate ${name}`);
  return version;
}
