// The test suites: each runs in the foreground, and its output is read for its counts.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environment, ROOT } from "../setup/environment.mjs";
import { cargoCounts, honest, nodeCounts } from "./counts.mjs";

/** No test takes this long: one that does hangs. */
const TEST_TIMEOUT_MS = 10 * 60_000;

/** How many of cargo's tests run at a time: the slow ones of the local Ably wait for its clock and need no core meanwhile. */
const CARGO_TESTS_AT_A_TIME = "8";

/** The tests of the host: the core, the crates, and their documentation's examples. */
export async function cargoTests() {
  const env = { RUST_TEST_THREADS: CARGO_TESTS_AT_A_TIME, ...environment() };
  const { code, output } = await foreground("cargo", ["test", "--workspace", "--locked", "--no-fail-fast"], env);
  return honest(cargoCounts(output), code);
}

/**
 * Tests by Node's own runner.
 * @param {string[]} patterns which files
 * @param {NodeJS.ProcessEnv} env
 */
export async function nodeTests(patterns, env) {
  const folder = mkdtempSync(join(tmpdir(), "towline-test-"));
  const tap = join(folder, "result.tap");
  try {
    // Shown in one form and counted in another, which does not change with the terminal.
    const shown = ["--test-reporter=spec", "--test-reporter-destination=stdout"];
    const counted = ["--test-reporter=tap", `--test-reporter-destination=${tap}`];
    const limits = ["--test-concurrency=2", `--test-timeout=${TEST_TIMEOUT_MS}`];
    const { code } = await foreground("node", ["--test", ...limits, ...shown, ...counted, ...patterns], env);
    return honest(nodeCounts(readFileSync(tap, "utf8")), code);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Runs a command whose output the person sees.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ code: number, output: string }>} its exit code (1 where it has none), and its standard output
 */
function foreground(command, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      process.stdout.write(text);
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
