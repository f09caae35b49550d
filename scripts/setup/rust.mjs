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

/**
 * The programs that the Worker is built with. What they read and write belongs to one version of the library that the
 * Worker links, so that version is read from Cargo.lock and is said nowhere else.
 */
const TOOLS_OF = [
  { name: "wasm-bindgen-cli", binary: "wasm-bindgen", library: "wasm-bindgen" },
  { name: "worker-build", binary: "worker-build", library: "worker" },
];

/** @type {import("./steps.mjs").Step} */
export const cargoTools = {
  what: "wasm-bindgen and worker-build into .tools",
  takes: "3 minutes",
  done: () => missingTools().length === 0,
  run: async () => {
    // Debug builds take a third of the time and run fast enough. They share a target folder, which stays where this is
    // interrupted, so that the next run goes on from there.
    const target = join(ROOT, "target", "tools");
    const args = ["install", ...missingTools(), "--locked", "--debug", "--force", "--root", TOOLS, "--target-dir", target];
    await run("cargo", args, {
      env: { ...environment(), CARGO_PROFILE_DEV_DEBUG: "0" },
      advice: "check that cargo reaches its registry and that the disk has 2 GB left, then run the same again.",
    });
    rmSync(target, { recursive: true, force: true });
  },
};

/** The tools that are not there in the version of their library, as `cargo install` takes them. */
function missingTools() {
  const lock = readFileSync(join(ROOT, "Cargo.lock"), "utf8");
  return TOOLS_OF.flatMap(({ name, binary, library }) => {
    const version = lockedVersion(lock, library);
    const there = output(join(TOOLS, "bin", binary), ["--version"])?.split(" ").at(-1) === version;
    return there ? [] : [`${name}@${version}`];
  });
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
