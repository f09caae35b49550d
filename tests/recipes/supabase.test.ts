// The recipe for Supabase, with a project that the tests stand in for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { App } from "./support/app.ts";
import { isNobody, keepsPromises, renew, session } from "./support/promises.ts";
import { KEY, PASSWORD, SupabaseProject } from "./support/supabase.ts";
import { Visitor } from "./support/visitor.ts";

const project = await SupabaseProject.start();
const app = await App.start("Supabase", 13_400, () => ({ SUPABASE_URL: project.url, SUPABASE_PUBLISHABLE_KEY: KEY }));

const signIn = (visitor: Visitor, id: string, password = PASSWORD) =>
  visitor.open("/session/sign-in", { email: `${id}@example.com`, password, to: "/" });

/** What is in the cookies of the library's. */
function kept(visitor: Visitor): { access_token: string; user: { id: string } } {
  const parts = [...visitor.cookies].filter(([name]) => /-auth-token(\.\d+)?$/.test(name)).sort();
  const text = parts.map(([, value]) => value).join("").replace(/^base64-/, "");
  return JSON.parse(Buffer.from(text, "base64url").toString());
}

keepsPromises(app, {
  dispatcher: project.add("dispatcher"),
  driver: project.add("driver"),
  customer: project.add(),
  otherCustomer: project.add("customer"),
  async signIn(visitor, id) {
    await signIn(visitor, id);
  },
  async claimToBeDispatcher(visitor, id) {
    // What `updateUser()` sends, and more.
    const role = "dispatcher";
    const headers = { apikey: KEY, authorization: `Bearer ${kept(visitor).access_token}` };
    const body = JSON.stringify({ data: { role, app_metadata: { role } }, app_metadata: { role }, role });
    assert.equal((await fetch(`${project.url}/auth/v1/user`, { method: "PUT", headers, body })).status, 200);
    await signIn(visitor, id);
    // A browser can write its cookies, and so what `getSession` would answer.
    const forged = { ...kept(visitor), user: { id, role, app_metadata: { role }, user_metadata: { role } } };
    for (const name of [...visitor.cookies.keys()].filter((name) => /-auth-token(\.\d+)?$/.test(name))) visitor.cookies.delete(name);
    const name = `sb-${new URL(project.url).hostname.split(".")[0]}-auth-token`;
    visitor.cookies.set(name, `base64-${Buffer.from(JSON.stringify(forged)).toString("base64url")}`);
  },
  end: (visitor) => project.end(kept(visitor).user.id),
});

test("a wrong password signs nobody in, and is told", async () => {
  const visitor = new Visitor(app.url);
  const { url, text } = await signIn(visitor, project.add("dispatcher"), "another");
  assert.deepEqual([url.pathname, url.searchParams.get("to")], ["/sign-in", "/"]);
  assert.match(text, /That did not work/);
  await isNobody(visitor);
});

test("a session that is about to end is renewed once, before the page is rendered, and the browser gets it", async (t) => {
  t.after(() => (project.seconds = 3_600));
  const visitor = new Visitor(app.url);
  const body = new URLSearchParams({ email: `${project.add("driver")}@example.com`, password: PASSWORD, to: "/" });
  project.seconds = 30;
  await visitor.ask("/session/sign-in", { method: "POST", body });
  const before = kept(visitor).access_token;
  project.seconds = 3_600;
  const { renewals } = project;
  assert.equal((await visitor.open("/")).url.pathname, "/drive");
  assert.notEqual(kept(visitor).access_token, before);
  assert.equal((await renew(visitor)).status, 204);
  assert.equal(session(visitor).role, "driver");
  assert.equal(project.renewals, renewals + 1);
});

test("a role that the back end takes away is gone at once", async () => {
  const id = project.add("dispatcher");
  const visitor = new Visitor(app.url);
  await signIn(visitor, id);
  assert.equal((await visitor.open("/")).url.pathname, "/board");
  for (const user of project.users.filter((user) => user.id === id)) delete user.app_metadata.role;
  assert.equal((await visitor.open("/")).url.pathname, "/jobs");
  assert.equal(session(visitor).role, "customer");
});

test("a sign-out in one browser is none in another", async () => {
  const id = project.add("driver");
  const [one, other] = [new Visitor(app.url), new Visitor(app.url)];
  await signIn(one, id);
  await signIn(other, id);
  await one.ask("/session/sign-out", { method: "POST" });
  await isNobody(one);
  assert.equal((await renew(other)).status, 204);
  assert.equal([...project.sessions.values()].filter(({ user }) => user.id === id).length, 1);
});

test("whoever signs out is out, also where Supabase cannot be reached", async (t) => {
  t.after(() => (project.isUp = true));
  const visitor = new Visitor(app.url);
  await signIn(visitor, project.add("driver"));
  project.isUp = false;
  await visitor.ask("/session/sign-out", { method: "POST" });
  assert.deepEqual([...visitor.cookies.keys()], []);
  project.isUp = true;
  await isNobody(visitor);
});

test("that Supabase cannot be reached signs nobody out", async (t) => {
  t.after(() => (project.isUp = true));
  const visitor = new Visitor(app.url);
  await signIn(visitor, project.add("driver"));
  await visitor.open("/");
  project.isUp = false;
  assert.equal((await renew(visitor)).status, 500);
  assert.ok(visitor.cookies.has("session"));
  project.isUp = true;
  assert.equal((await renew(visitor)).status, 204);
});

test("no script of a page sees the session", async () => {
  const body = new URLSearchParams({ email: `${project.add()}@example.com`, password: PASSWORD, to: "/" });
  const answer = await fetch(`${app.url}/session/sign-in`, { method: "POST", redirect: "manual", body, headers: { origin: app.url } });
  const lines = answer.headers.getSetCookie();
  assert.ok(lines.length > 0);
  for (const line of lines) assert.match(line.replace(/=[^;]*/, ""), /; httponly/i);
});
