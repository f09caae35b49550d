// The recipe for Clerk, with session tokens as an instance of Clerk's signs them. Its script, which puts them into the cookie, comes from Clerk's
// own servers and does not run here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { App } from "./support/app.ts";
import { ClerkInstance, FRONTEND, PUBLISHABLE_KEY, SECRET_KEY } from "./support/clerk.ts";
import { isNobody, keepsPromises, renew, session } from "./support/promises.ts";
import { Signer } from "./support/tokens.ts";
import { Visitor } from "./support/visitor.ts";

const clerk = await ClerkInstance.start();
const app = await App.start("Clerk", 13_600, (url) => ({
  NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY: PUBLISHABLE_KEY,
  NEXT_PUBLIC_CLERK_SIGN_IN_URL: "/sign-in",
  NEXT_PUBLIC_CLERK_TELEMETRY_DISABLED: "1",
  CLERK_SECRET_KEY: SECRET_KEY,
  CLERK_JWT_KEY: clerk.pem,
  CLERK_API_URL: clerk.url,
  APP_ORIGIN: url,
}));

const signIn = (visitor: Visitor, id: string, more: Partial<Parameters<typeof clerk.signIn>[2]> = {}) => clerk.signIn(visitor, id, { azp: app.url, ...more });

/** What Clerk's script does when the session is over. */
const end = (visitor: Visitor) => {
  visitor.cookies.delete("__session");
  visitor.cookies.set("__client_uat", "0");
};

keepsPromises(app, {
  dispatcher: clerk.add("dispatcher"),
  driver: clerk.add("driver"),
  customer: clerk.add(),
  otherCustomer: clerk.add("customer"),
  async signIn(visitor, id) {
    signIn(visitor, id);
  },
  async claimToBeDispatcher(visitor, id) {
    // What `user.update({ unsafeMetadata })` writes.
    const role = "dispatcher";
    Object.assign(clerk.users.get(id)?.unsafe_metadata ?? {}, { role, org_role: role, public_metadata: { role }, publicMetadata: { role } });
    signIn(visitor, id);
  },
  end,
});

test("a page whose token is over is led to Clerk for another, and a script's request finds nobody", async () => {
  const visitor = new Visitor(app.url);
  signIn(visitor, clerk.add("driver"), { seconds: -30, claims: { iat: Math.floor(Date.now() / 1_000) - 1 } });
  await isNobody(visitor);
  const answer = await visitor.ask("/", { headers: { accept: "text/html", "sec-fetch-dest": "document" } });
  assert.equal(new URL(answer.headers.get("location") ?? "").host, FRONTEND);
});

for (const [what, more] of [
  ["that another has signed", { signer: new Signer("RS256") }],
  ["for a page of another origin", { azp: "https://elsewhere.example.com" }],
  ["of a session that has still a task before it", { claims: { sts: "pending" } }],
] as const) {
  test(`a token ${what} is none`, async () => {
    const visitor = new Visitor(app.url);
    signIn(visitor, clerk.add("dispatcher"), more);
    await isNobody(visitor);
  });
}

test("a sign-out ends the session at Clerk", async () => {
  const visitor = new Visitor(app.url);
  const ended = signIn(visitor, clerk.add("driver"));
  assert.equal((await renew(visitor)).status, 204);
  await visitor.ask("/session/sign-out", { method: "POST" });
  assert.ok(clerk.revoked.includes(ended));
  assert.equal(visitor.cookies.has("__session"), false);
});

test("a role that the back end changes counts with the next token", async () => {
  const id = clerk.add("dispatcher");
  const visitor = new Visitor(app.url);
  signIn(visitor, id);
  assert.equal((await visitor.open("/")).url.pathname, "/board");
  clerk.users.set(id, { public_metadata: { role: "driver" }, unsafe_metadata: {} });
  signIn(visitor, id);
  assert.equal((await visitor.open("/")).url.pathname, "/drive");
  assert.equal(session(visitor).role, "driver");
});
