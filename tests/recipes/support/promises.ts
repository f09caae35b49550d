// What each recipe keeps, whoever signs people in.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unique } from "../../e2e/support/world.ts";
import type { App } from "./app.ts";
import { claimsOf } from "./tokens.ts";
import { Visitor } from "./visitor.ts";

/** How people sign in there. */
export interface Provider {
  /** Users of the provider's. */
  dispatcher: string;
  driver: string;
  customer: string;
  otherCustomer: string;
  /** Signs in, in the place of whoever was signed in. */
  signIn(visitor: Visitor, user: string): Promise<void>;
  /** The user writes that they are a dispatcher, wherever the provider and its libraries let users write; and signs in again where that is how it would count. */
  claimToBeDispatcher(visitor: Visitor, user: string): Promise<void>;
  /** The session at the provider ends. Nobody tells the app. */
  end(visitor: Visitor): void | Promise<void>;
}

/** The session with Towline. */
export const session = (visitor: Visitor) => claimsOf(visitor.cookies.get("session") ?? assert.fail("there is no session"));

/** Asks Towline, by way of the app, for what is a dispatcher's alone. */
const asDispatcher = async (visitor: Visitor) => (await visitor.ask("/api/jobs?state=open")).status;

export const renew = (visitor: Visitor) => visitor.ask("/session", { method: "POST" });

/** That the visitor is nobody, for the app and for Towline. */
export async function isNobody(visitor: Visitor) {
  assert.equal((await renew(visitor)).status, 401);
  assert.equal(visitor.cookies.has("session"), false, "the cookie goes");
  assert.equal((await visitor.ask("/api/ably-token")).status, 401);
}

/** A customer's page was rendered for them, with the position. */
export async function seesJob(visitor: Visitor, job: string, user: string) {
  const { url, status, text } = await visitor.open(`/jobs/${job}`);
  assert.deepEqual([url.pathname, status], [`/jobs/${job}`, 200]);
  assert.match(text, /48\.25/);
  assert.equal(session(visitor).sub, user);
}

export function keepsPromises(app: App, provider: Provider) {
  const visitor = async (user?: string) => {
    const visitor = new Visitor(app.url);
    if (user !== undefined) await provider.signIn(visitor, user);
    return visitor;
  };

  for (const [role, home] of [["dispatcher", "/board"], ["driver", "/drive"], ["customer", "/jobs"]] as const) {
    test(`a ${role} who has signed in is one for the app and for Towline, for an hour`, async () => {
      const somebody = await visitor(provider[role]);
      assert.equal((await somebody.open("/")).url.pathname, home);
      const { sub, role: given, iat, exp } = session(somebody);
      assert.deepEqual([sub, given], [provider[role], role]);
      assert.ok(Number(exp) - Number(iat) <= 3_600);
      assert.equal(await asDispatcher(somebody), role === "dispatcher" ? 200 : 403);
    });
  }

  test("a customer comes back to the page that they wanted, rendered for them", async () => {
    const job = await app.job([provider.customer]);
    const somebody = await visitor();
    const { url } = await somebody.open(`/jobs/${job}`);
    assert.deepEqual([url.pathname, url.searchParams.get("to")], ["/sign-in", `/jobs/${job}`]);
    await provider.signIn(somebody, provider.customer);
    await seesJob(somebody, job, provider.customer);
    const other = await visitor(provider.otherCustomer);
    assert.doesNotMatch((await other.open(`/jobs/${job}`)).text, /48\.25/);
  });

  test("who writes that they are a dispatcher, wherever users may write, is none", async () => {
    const somebody = await visitor(provider.customer);
    await somebody.open("/");
    await provider.claimToBeDispatcher(somebody, provider.customer);
    assert.equal((await renew(somebody)).status, 204);
    assert.deepEqual([session(somebody).sub, session(somebody).role], [provider.customer, "customer"]);
    assert.equal(await asDispatcher(somebody), 403);
  });

  test("when the provider's session is over, so is Towline's", async () => {
    const somebody = await visitor(provider.customer);
    await somebody.open("/");
    assert.equal((await renew(somebody)).status, 204);
    await provider.end(somebody);
    await isNobody(somebody);
    assert.equal((await somebody.open("/")).url.pathname, "/sign-in");
  });

  test("when another user signs in in the same browser, the session is theirs", async () => {
    const job = await app.job([provider.otherCustomer]);
    const somebody = await visitor(provider.dispatcher);
    await somebody.open("/");
    await provider.signIn(somebody, provider.otherCustomer);
    await seesJob(somebody, job, provider.otherCustomer);
    assert.equal(await asDispatcher(somebody), 403);
  });

  test("the app's sign-out is one from the provider too", async () => {
    const somebody = await visitor(provider.customer);
    await somebody.open("/");
    const before = new Map(somebody.cookies);
    const answer = await somebody.ask("/session/sign-out", { method: "POST" });
    assert.equal(answer.headers.get("location"), "/sign-in");
    await isNobody(somebody);
    assert.ok(before.size > somebody.cookies.size + 1, "more than the session's cookie goes");
  });

  test("who has opened a link is a guest, until they sign in, and not again after that", async () => {
    const link = unique("link");
    const job = await app.job([link]);
    const somebody = await visitor();
    somebody.cookies.set("guest", app.token({ sub: link, aud: "guest", job }));
    await seesJob(somebody, job, link);
    await provider.signIn(somebody, provider.customer);
    await somebody.open("/");
    assert.equal(session(somebody).sub, provider.customer);
    await provider.end(somebody);
    await isNobody(somebody);
  });
}
