// The command against the real service: a customer sees the drive of the file.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { localDriver } from "../../scripts/drive/driver.mjs";
import { sessions } from "../../scripts/dev/session.mjs";
import { environment, ROOT } from "../../scripts/setup/environment.mjs";
import { LocalAbly } from "../e2e/support/ably.ts";
import { Clients } from "../e2e/support/clients.ts";
import { drive } from "../e2e/support/drive.ts";
import { assertGapless, Listener } from "../e2e/support/driving.ts";
import { eventually } from "../e2e/support/wait.ts";
import { startWorkerd } from "../e2e/support/workerd.ts";
import { unique, World } from "../e2e/support/world.ts";

/** The service's own, so that what is signed here counts there. */
const SECRET = randomBytes(32).toString("base64url");
const GPX = join(ROOT, "tests", "data", "car-drive.gpx");
const SPEED = 60;

const world = await World.forThisFile({ SESSION_SECRET: SECRET }, () => LocalAbly.start(), startWorkerd);

/** What `npm start` writes down, of the service of this file. */
function facts(t: TestContext, url = world.url) {
  const folder = mkdtempSync(join(tmpdir(), "towline-drive-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "dev.json");
  const made = { url, sessions: sessions({ secret: SECRET, jobId: "job-of-dev", now: Date.now() }), sessionSecret: SECRET };
  writeFileSync(path, JSON.stringify(made));
  return { path, ...made };
}

async function asDispatcher(job: string, session: string, init: RequestInit = {}) {
  const response = await fetch(`${world.url}/api/jobs/${job}`, { ...init, headers: { authorization: `Bearer ${session}` } });
  return { status: response.status, body: await response.json() };
}

/** Runs the command; `output` grows as it says something. */
function command(args: string[], session: string) {
  const child = spawn("node", [join(ROOT, "scripts", "drive.mjs"), ...args], { env: { ...environment(), TOWLINE_SESSION: session } });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => output.push(text));
  return { child, output, ended: once(child, "close").then(([code]) => code as number) };
}

test("every fix of the file arrives once, in order, where and when it was, compressed", { timeout: 240_000 }, async (t) => {
  const { path, sessions } = facts(t);
  const job = unique("job");
  const said: string[] = [];
  const { session } = await localDriver(job, (line) => said.push(line), path);
  assert.deepEqual(said, [`${job} was not registered: it is now, with driver-1 as its driver and customer-1 as its customer.`]);
  const { body } = await asDispatcher(job, sessions.dispatcher);
  assert.deepEqual([body.driver, body.customers], ["driver-1", ["customer-1"]]);

  const listener = await Listener.on(await new Clients(world, "JSON", t).connected(sessions.dispatcher), job);
  const expected = drive();
  const { output, ended } = command(["--url", world.url, "--file", GPX, "--job", job, "--speed", String(SPEED)], session);
  assert.equal(await ended, 0, output.join(""));
  await listener.hears(expected.length);

  const { told } = listener;
  assertGapless(told, { epoch: told[0]?.epoch ?? 0, to: expected.length });
  for (const [index, { lat, lng, at }] of told.entries()) {
    const { lat: latOfFile, lng: lngOfFile, capturedAt } = expected[index] ?? { lat: NaN, lng: NaN, capturedAt: NaN };
    assert.ok(Math.abs(lat - latOfFile) < 1e-6 && Math.abs(lng - lngOfFile) < 1e-6, `fix ${index + 1} is elsewhere`);
    const [sinceFirst, expectedSince] = [at - (told[0]?.at ?? 0), capturedAt - (expected[0]?.capturedAt ?? 0)];
    assert.ok(Math.abs(sinceFirst - expectedSince) <= 1, `fix ${index + 1} comes ${sinceFirst} ms after the first, not ${expectedSince}`);
  }
  // It has left when it was due, and not as one pile.
  assert.ok(listener.messages.length > 20, `${listener.messages.length} messages`);
  const last = listener.messages.at(-1)?.data;
  assert.deepEqual([last.altitude, Math.sign(last.speed), Math.sign(last.heading)], [expected.at(-1)?.altitude, 1, 1]);
  assert.match(output.join(""), /104 of 104 posted: 104 accepted\n$/);
});

test("Ctrl-C ends it with what has become of the drive so far", { timeout: 240_000 }, async (t) => {
  const job = unique("job");
  const { session } = await localDriver(job, () => {}, facts(t).path);
  const { child, output, ended } = command(["--url", world.url, "--file", GPX, "--job", job], session);
  await eventually("it to be under way", () => (output.join("").includes("Ctrl-C ends it") ? true : undefined));
  child.kill("SIGINT");
  assert.equal(await ended, 0);
  assert.match(output.join(""), /[01] of 104 posted(: 1 accepted)?\n$/);
});

test("the driver whom a job has is the one who drives; who has none gets one, and keeps all else", async (t) => {
  const { path, sessions } = facts(t);
  const { dispatcher } = sessions;
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  const register = (job: string, body: object) => asDispatcher(job, dispatcher, { method: "PUT", body: JSON.stringify(body) });

  const taken = unique("job");
  await register(taken, { driver: "dan", customers: ["ann"] });
  const { session } = await localDriver(taken, say, path);
  assert.equal(JSON.parse(Buffer.from(session.split(".")[1] ?? "", "base64url").toString()).sub, "dan");

  const open = unique("job");
  const there = { customers: ["ann", "ben"], place: { lat: 0, lng: 0 }, dispatchId: "west", gate: { customer: { from: Date.now() - 1000 } } };
  await register(open, { driver: null, ...there });
  const { body: before } = await asDispatcher(open, dispatcher);
  await localDriver(open, say, path);
  const { body: after } = await asDispatcher(open, dispatcher);
  // A new driver is a new epoch, for which the gate opens anew.
  const { gate, epoch, ...rest } = after;
  assert.deepEqual({ ...before, driver: "driver-1", version: 2 }, { ...rest, gate: before.gate, epoch: before.epoch });
  assert.equal(gate.customer.from, there.gate.customer.from);
  assert.deepEqual(said, [`${taken} is driven by dan.`, `${open} had no driver: driver-1 has it now.`]);

  await fetch(`${world.url}/api/jobs/${open}/close`, { method: "POST", headers: { authorization: `Bearer ${dispatcher}` }, body: '{"reason": "done"}' });
  await assert.rejects(localDriver(open, say, path), /is closed, and that is for ever/);
});

test("where nothing runs, it says what to do", async (t) => {
  await assert.rejects(localDriver("job-1", () => {}, "/nowhere/dev.json"), /npm run demo, or npm start/);
  // Whoever was killed has left the file behind.
  await assert.rejects(localDriver("job-1", () => {}, facts(t, "http://127.0.0.1:9").path), /npm run demo, or npm start/);
  const { output, ended } = command(["--file", GPX, "--job", "job-1", "--url", world.url], "");
  assert.equal(await ended, 1);
  assert.match(output.join(""), /TOWLINE_SESSION/);
});
