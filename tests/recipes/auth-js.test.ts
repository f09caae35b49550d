// The recipe for Auth.js, with a provider of OpenID Connect that the tests stand in for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { App } from "./support/app.ts";
import { CLIENT, OpenIdProvider } from "./support/oidc.ts";
import { isNobody, keepsPromises } from "./support/promises.ts";
import { Visitor } from "./support/visitor.ts";

const provider = await OpenIdProvider.start();
const app = await App.start("Auth.js", 13_200, (url) => ({
  NEXTAUTH_URL: url,
  NEXTAUTH_SECRET: "a secret of Auth.js's own",
  OIDC_ISSUER: provider.issuer,
  OIDC_CLIENT_ID: CLIENT.id,
  OIDC_CLIENT_SECRET: CLIENT.secret,
}));

/** What the button does, and where that leads. */
async function press(visitor: Visitor) {
  const { csrfToken } = (await (await visitor.ask("/api/auth/csrf")).json()) as { csrfToken: string };
  const body = new URLSearchParams({ csrfToken, callbackUrl: "/session?to=%2F", json: "true" });
  const { url } = (await (await visitor.ask("/api/auth/signin/sso", { method: "POST", body })).json()) as { url: string };
  return visitor.open(url);
}

keepsPromises(app, {
  dispatcher: "dora",
  driver: "driver-01",
  customer: "ann",
  otherCustomer: "ben",
  async signIn(visitor, sub) {
    provider.profile = { sub };
    await press(visitor);
  },
  async claimToBeDispatcher(visitor, sub) {
    const lies = { role: "dispatcher", id: "dora", name: "dora", email: "dora@example.com", user: { id: "dora", role: "dispatcher" } };
    provider.profile = { ...lies, sub };
    await press(visitor);
    // What `update()` of `useSession` posts.
    const { csrfToken } = (await (await visitor.ask("/api/auth/csrf")).json()) as { csrfToken: string };
    const body = JSON.stringify({ csrfToken, data: { ...lies, sub: "dora" } });
    const answer = await visitor.ask("/api/auth/session", { method: "POST", headers: { "content-type": "application/json" }, body });
    assert.deepEqual([answer.status, ((await answer.json()) as { user: object }).user], [200, { id: "ann", role: "customer", name: "Ann" }]);
  },
  end: (visitor) => void visitor.cookies.delete("next-auth.session-token"),
});

test("whom the database does not know is not signed in, and is told", async () => {
  const visitor = new Visitor(app.url);
  provider.profile = { sub: "mallory", role: "dispatcher" };
  const { url, text } = await press(visitor);
  assert.equal(url.pathname, "/sign-in");
  assert.match(text, /Nobody here knows you/);
  await isNobody(visitor);
});

test("a browser that has a cookie named `__Secure-` is told to forget it in a way that it takes", async () => {
  const answer = await fetch(`${app.url}/session/sign-out`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: "https://app.example.com", "x-forwarded-host": "app.example.com", cookie: "__Secure-next-auth.session-token.0=a; __Secure-next-auth.session-token.1=b" },
  });
  const told = answer.headers.getSetCookie().filter((line) => line.startsWith("__Secure-"));
  assert.equal(told.length, 2);
  for (const line of told) assert.match(line, /^__Secure-next-auth\.session-token\.[01]=;.*Path=\/;.*Expires=Thu, 01 Jan 1970.*Secure/i);
});
