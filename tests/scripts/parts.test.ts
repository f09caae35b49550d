import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Parts } from "../../scripts/dev/parts.mjs";
import { runs } from "../../scripts/dev/processes.mjs";

/** A part with a child of its own, which writes both process ids into a file; neither ends by SIGTERM. */
const FAMILY = `
  const { spawn } = require("node:child_process");
  process.on("SIGTERM", () => {});
  const child = spawn(process.execPath, ["-e", 'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)'], { stdio: ["ignore", "pipe", "ignore"] });
  child.stdout.once("data", () => require("node:fs").writeFileSync(process.argv[1], process.pid + " " + child.pid));
`;

function folder(t: TestContext) {
  const path = mkdtempSync(join(tmpdir(), "towline-parts-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function until(condition: () => boolean) {
  while (!condition()) await delay(20);
}

async function pids(path: string) {
  await until(() => existsSync(path) && readFileSync(path, "utf8").includes(" "));
  return readFileSync(path, "utf8").split(" ").map(Number);
}

const alive = (ids: number[]) => ids.filter((id) => runs(id, "node"));

test("stopping ends the parts and their children, the deaf ones too, and removes the files", { timeout: 60_000 }, async (t) => {
  const file = join(folder(t), "pids");
  const parts = new Parts();
  parts.removeAtEnd(file);
  parts.start("A family", process.execPath, ["-e", FAMILY, file], process.env);
  const family = await pids(file);
  assert.equal(alive(family).length, 2);
  await parts.stop();
  assert.deepEqual(alive(family), []);
  assert.equal(existsSync(file), false);
  assert.equal(parts.stopping.aborted, true);
});

test("a part that ends by itself is the reason to stop, with what it said last", { timeout: 60_000 }, async () => {
  const parts = new Parts();
  parts.start("A part", process.execPath, ["-e", 'console.error("out of luck"); process.exit(3)'], process.env);
  await assert.rejects(parts.ended, /A part ended by itself \(exit code 3\), so everything is stopped\.\n {2}\| out of luck/);
  await parts.stop();
});

test("no session that a part quotes is shown", { timeout: 60_000 }, async () => {
  const parts = new Parts();
  const [jwt, jwe] = ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln-_", "eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn"];
  const said = `http://127.0.0.1:8787/nowhere?a=${jwt}&b=${jwe} eyJust.a word`;
  parts.start("A part", process.execPath, ["-e", `console.error(${JSON.stringify(said)}); process.exit(3)`], process.env);
  await assert.rejects(parts.ended, ({ message }: Error) => message.endsWith("http://127.0.0.1:8787/nowhere?a=eyJ…&b=eyJ… eyJust.a word"));
  await parts.stop();
});

test("a part that cannot be started is a reason to stop", { timeout: 60_000 }, async () => {
  const parts = new Parts();
  parts.start("A part", "towline-no-such-command", [], process.env);
  await assert.rejects(parts.ended, /A part did not start/);
  await parts.stop();
});

test("kill -9 of the owner ends the parts as well", { timeout: 60_000 }, async (t) => {
  const path = folder(t);
  const file = join(path, "pids");
  const secret = join(path, "dev.json");
  writeFileSync(secret, "a key");
  const owner = `
    const { Parts } = await import(${JSON.stringify(new URL("../../scripts/dev/parts.mjs", import.meta.url).href)});
    const parts = new Parts();
    parts.removeAtEnd(${JSON.stringify(secret)});
    parts.start("A family", process.execPath, ["-e", ${JSON.stringify(FAMILY)}, ${JSON.stringify(file)}], process.env);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", owner], { stdio: "ignore" });
  const family = await pids(file);
  child.kill("SIGKILL");
  await once(child, "exit");
  await until(() => alive(family).length === 0 && !existsSync(secret));
});
