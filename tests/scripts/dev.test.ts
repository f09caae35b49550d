import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { listening } from "../../scripts/dev/bring-up.mjs";
import { clone, writePrivate } from "../../scripts/dev/clone.mjs";
import { ablyAddress, text } from "../../scripts/dev/facts.mjs";
import { claim } from "../../scripts/dev/only-one.mjs";
import { devVarsText, envLocalText } from "../../scripts/dev/plain-wrangler.mjs";
import { ablyKey, optionalSettings, wranglerArguments, wranglerEnvironment } from "../../scripts/dev/service.mjs";
import { tidyWranglerFolder } from "../../scripts/dev/wrangler-folder.mjs";

function folder(t: TestContext) {
  const path = mkdtempSync(join(tmpdir(), "towline-dev-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const mode = (path: string) => statSync(path).mode & 0o777;

test("a clone's secrets are random, stay, and are its owner's alone", (t) => {
  const [here, there] = [folder(t), folder(t)];
  const first = clone(here);
  assert.deepEqual(clone(here), first);
  assert.equal(mode(join(here, "clone.json")), 0o600);
  const other = clone(there);
  for (const name of ["jobId", "sessionSecret", "localAblyKey"] as const) assert.notEqual(other[name], first[name]);
  assert.match(first.jobId, /^[A-Za-z0-9._-]{1,64}$/);
  assert.ok(Buffer.byteLength(first.sessionSecret) >= 32);
  assert.equal(ablyKey(first.localAblyKey)?.text, first.localAblyKey);
});

test("a private file is so although it was there with other rights", (t) => {
  const path = join(folder(t), "file");
  writeFileSync(path, "old");
  chmodSync(path, 0o644);
  writePrivate(path, "new");
  assert.equal(mode(path), 0o600);
  assert.equal(readFileSync(path, "utf8"), "new");
});

test(".dev.vars points Wrangler at the local Ably's usual port, by the clone's own secrets, and has the log give hints", () => {
  const vars = devVarsText({ jobId: "j", sessionSecret: "S", localAblyKey: "a.b:c" });
  assert.match(vars, /^#.*\nABLY_API_KEY=a\.b:c\nABLY_REST_URL=http:\/\/127\.0\.0\.1:8788\nSESSION_SECRET=S\nDEV_HINTS=on\n$/);
});

test(".env.local has Wrangler neither write down nor show what goes through it", () => {
  const lines = envLocalText().split("\n");
  for (const line of ["X_LOCAL_OBSERVABILITY=false", "X_LOCAL_EXPLORER=false"]) assert.ok(lines.includes(line), line);
});

test("Wrangler's folder is its owner's alone, and what it wrote down about requests goes, which is said", (t) => {
  const wrangler = join(folder(t), ".wrangler");
  const said: string[] = [];
  tidyWranglerFolder(wrangler, (line) => said.push(line));
  assert.equal(mode(wrangler), 0o700);
  assert.equal(said.length, 0);

  chmodSync(wrangler, 0o755);
  const [kept, written] = ["do", "observability"].map((name) => join(wrangler, "state", "v3", name, "towline")) as [string, string];
  for (const path of [kept, written]) {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "db.sqlite"), "");
  }
  tidyWranglerFolder(wrangler, (line) => said.push(line));
  assert.equal(mode(wrangler), 0o700);
  assert.ok(existsSync(join(kept, "db.sqlite")));
  assert.ok(!existsSync(join(written, "..")));
  assert.match(said.join("\n"), /^Removed \.wrangler\/state\/v3\/observability: .*$/);
});

test("a key that is none is refused without being quoted", () => {
  assert.equal(ablyKey(undefined), undefined);
  assert.equal(ablyKey(""), undefined);
  assert.deepEqual(ablyKey("app.key:secret"), { text: "app.key:secret", appId: "app", name: "app.key" });
  for (const key of ["hush", "app:hush", "app.key:", "app.key.x:hush", "app.key:hu sh"]) {
    assert.throws(() => ablyKey(key), (error: Error) => !error.message.includes("hush") && !error.message.includes("hu sh"), key);
  }
});

test("the Worker gets its settings, and nothing else that the developer's environment holds", (t) => {
  process.env.TOWLINE_TEST_PASSWORD = "hush";
  t.after(() => delete process.env.TOWLINE_TEST_PASSWORD);
  const env = wranglerEnvironment({ ABLY_API_KEY: "app.key:secret" });
  assert.equal(env.ABLY_API_KEY, "app.key:secret");
  assert.equal(env.X_LOCAL_EXPLORER, "false");
  assert.equal(env.X_LOCAL_OBSERVABILITY, "false");
  assert.ok(env.PATH);
  assert.equal(JSON.stringify(env).includes("hush"), false);
});

test("Wrangler listens to this machine alone, no key is on its command line, and .dev.vars does not come in between", () => {
  const args = wranglerArguments(8787);
  assert.deepEqual(args.slice(0, 5), ["dev", "--ip", "127.0.0.1", "--port", "8787"]);
  assert.ok(args.includes("--env-file"));
  assert.ok(!args.includes("--var"));
});

test("the optional settings are those of the service that are set", () => {
  const env = { SESSION_COOKIE: "session", CORS_ORIGINS: "", CORS_HEADERS: "x-tenant", HOME: "/", ABLY_API_KEY: "k", SESSION_SECRET: "s" };
  assert.deepEqual(optionalSettings(env), { SESSION_COOKIE: "session", CORS_HEADERS: "x-tenant" });
});

test("the local Ably's first line is told from others", () => {
  const line = { event: "listening", url: "http://127.0.0.1:9", endpoint: "127.0.0.1" };
  assert.deepEqual(listening(JSON.stringify(line)), { url: "http://127.0.0.1:9" });
  const page = "http://127.0.0.1:9/#secret=S";
  assert.deepEqual(listening(JSON.stringify({ ...line, page })), { url: "http://127.0.0.1:9", page });
  for (const line of ["", "listening", "null", "[]", '{"event":"other","url":"x"}', '{"event":"listening"}']) {
    assert.equal(listening(line), undefined, line);
  }
});

test("clients are told where Ably is", () => {
  assert.deepEqual(ablyAddress("http://127.0.0.1:8788"), { endpoint: "127.0.0.1", port: 8788, tls: false });
  assert.deepEqual(ablyAddress("https://rest.example"), { endpoint: "rest.example", port: 443, tls: true });
  assert.deepEqual(ablyAddress(undefined), { endpoint: "main", port: 443, tls: true });
});

test("what is printed has each session and says how far it reaches, but no key and no secret", () => {
  const sessions = { driver: "D", dispatcher: "P", customer: "C", admin: "A" };
  const ably = { ...ablyAddress("http://127.0.0.1:8788"), key: "a.b:hush" };
  const facts = { url: "http://127.0.0.1:8787", ably, jobId: "job-1", sessions, sessionSecret: "hush" };
  const local = text(facts, []);
  assert.doesNotMatch(local, /Register the job/);
  assert.match(text(facts, [], undefined, true), /Register the job first[^]*-X PUT [^ ]*\/api\/jobs\/[^]*"driver":"driver-1","customers":\["customer-1"\][^]*Subscribe/);
  for (const role of Object.keys(sessions)) assert.match(local, new RegExp(`^ +${role} `, "m"));
  assert.match(local, /development set-up/);
  assert.match(local, /curl .*\/api\/jobs\/job-1\/location/);
  assert.doesNotMatch(local, /hush|network/);
  assert.match(text(facts, ["http://192.168.1.2:8787"]), /Reachable from your network.* http:\/\/192\.168\.1\.2:8787/);
  assert.match(text(facts, ["http://192.168.1.2:8787"]), /Not reachable from there: the local Ably .*ABLY_API_KEY/);
  const itself = { ...facts, ably: ablyAddress(undefined) };
  assert.doesNotMatch(text(itself, ["http://192.168.1.2:8787"]), /local Ably|ABLY_API_KEY/);
});

test("a clone is claimed once; a claim whose owner is dead is taken over", async (t) => {
  const path = join(folder(t), "start.json");
  await claim(path, undefined);
  assert.equal(mode(path), 0o600);
  assert.ok(existsSync(path));
  // The claim's process is this one, which is no `npm start`.
  await claim(path, undefined);
  writeFileSync(path, "half a fil");
  await claim(path, undefined);
  assert.equal(JSON.parse(readFileSync(path, "utf8")).pid, process.pid);
});
