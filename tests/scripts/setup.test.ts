import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { chromiumPath } from "../../scripts/setup/chromium.mjs";
import { installed } from "../../scripts/setup/packages.mjs";
import { lockedVersion } from "../../scripts/setup/rust.mjs";
import { perform, run } from "../../scripts/setup/steps.mjs";
import { fingerprint } from "../../scripts/setup/worker.mjs";

function step(done: boolean[], ran: string[]) {
  return { what: "a thing", takes: "1 s", done: () => done.shift() ?? true, run: async () => void ran.push("ran") };
}

test("a step that is done says nothing and does nothing", async () => {
  const ran: string[] = [];
  const said: string[] = [];
  await perform([step([true], ran)], (line) => said.push(line));
  assert.deepEqual({ ran, said }, { ran: [], said: [] });
});

test("a step that is not done says what it does and how long it takes", async () => {
  const ran: string[] = [];
  const said: string[] = [];
  await perform([step([false, true], ran)], (line) => said.push(line));
  assert.deepEqual(ran, ["ran"]);
  assert.match(said.join("\n"), /^\[set-up\] a thing \(about 1 s\)\n\[set-up\] a thing: done in \d+ s$/);
});

test("a step without effect fails", async () => {
  await assert.rejects(perform([step([false, false], [])], () => {}), /a thing: .* not there/);
});

test("a command that fails is shown with the end of its output and with what to do", async () => {
  const script = 'for (let i = 0; i < 500; i++) console.error("line " + i); process.exitCode = 7';
  await assert.rejects(run("node", ["-e", script], { advice: "read the lines." }), (error: Error) => {
    assert.match(error.message, /failed \(ended with 7\):\n {2}node -e /);
    assert.match(error.message, /\| line 499\nWhat to do: read the lines\.$/);
    assert.doesNotMatch(error.message, /line 3\n/);
    return true;
  });
});

test("a command that does not exist fails in the same way", async () => {
  await assert.rejects(run("towline-no-such-command", ["x"], { advice: "get it." }), /towline-no-such-command x\nWhat to do: get it\./);
});

test("a command that succeeds is quiet", async () => {
  const said: string[] = [];
  await run("node", ["-e", "console.log(1)"], { advice: "", say: (line) => said.push(line) });
  assert.deepEqual(said, []);
});

test("npm's packages are installed where its record has what the lock file asks for", () => {
  const wanted = { packages: { "": {}, "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.0", optional: true } } };
  const a = { "node_modules/a": { version: "1.0.0" } };
  const b = { "node_modules/b": { version: "2.0.0" } };
  assert.equal(installed(wanted, { packages: { ...a, ...b } }), true);
  assert.equal(installed(wanted, { packages: a }), true, "an optional package may be for another machine");
  assert.equal(installed(wanted, { packages: b }), false, "missing");
  assert.equal(installed(wanted, { packages: { "node_modules/a": { version: "1.0.1" }, ...b } }), false, "another version");
  assert.equal(installed(wanted, { packages: { ...a, ...b, "node_modules/c": { version: "1.0.0" } } }), false, "left over");
  assert.equal(installed(wanted, undefined), false, "no record");
  assert.equal(installed(undefined, { packages: a }), false);
});

test("a tool has the version of the library in Cargo.lock, not of one with a longer name", () => {
  const lock = '[[package]]\nname = "worker-macros"\nversion = "0.1.0"\n\n[[package]]\nname = "worker"\nversion = "0.8.7"\n';
  assert.equal(lockedVersion(lock, "worker"), "0.8.7");
  assert.throws(() => lockedVersion(lock, "wasm-bindgen"), /Cargo\.lock names no crate wasm-bindgen/);
});

function sources(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "towline-sources-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const folder of ["src/edge", "description", "crates/local-ably/src", "crates/ably/src"]) mkdirSync(join(root, folder), { recursive: true });
  const write = (path: string, text: string) => writeFileSync(join(root, path), text);
  write("Cargo.toml", "[package]");
  write("src/edge/mod.rs", "one");
  write("crates/ably/src/lib.rs", "two");
  return { root, write, hash: (...facts: string[]) => fingerprint(root, facts) };
}

test("a build is up to date until something it is made from changes", (t) => {
  const { root, write, hash } = sources(t);
  const first = hash("rustc 1");
  assert.equal(hash("rustc 1"), first);
  assert.notEqual(hash("rustc 2"), first, "another compiler");

  write("crates/local-ably/src/main.rs", "the local Ably");
  write("README.md", "words");
  assert.equal(hash("rustc 1"), first, "neither is part of the Worker");

  write("src/edge/mod.rs", "ONE");
  const changed = hash("rustc 1");
  assert.notEqual(changed, first, "a file deep in a folder");
  write("src/edge/new.rs", "");
  assert.notEqual(hash("rustc 1"), changed, "an empty file more");
  rmSync(join(root, "src/edge/new.rs"));
  assert.equal(hash("rustc 1"), changed);
  write("policy.toml", "");
  assert.notEqual(hash("rustc 1"), changed, "a file that was not there before");
  const described = hash("rustc 1");
  write("description/openapi.json", "{}");
  assert.notEqual(hash("rustc 1"), described, "what the Worker serves");
});

test("a Chromium is found by its names on the PATH, or where CHROMIUM_BIN says, and only if it can be run", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "towline-chromium-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "google-chrome");
  writeFileSync(path, "");
  chmodSync(path, 0o600);
  assert.notEqual(chromiumPath({ PATH: folder }), path);
  chmodSync(path, 0o700);
  assert.equal(chromiumPath({ PATH: `relative:${folder}` }), path);
  assert.equal(chromiumPath({ PATH: "", CHROMIUM_BIN: path }), path);
  assert.equal(chromiumPath({ PATH: folder, CHROMIUM_BIN: join(folder, "other") }), undefined);
});
