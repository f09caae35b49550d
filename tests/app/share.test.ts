// A job that is shared by a link: once tapped, to whoever has it, as long as it holds.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Page } from "playwright-core";
import { eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { REFUSED, type Tab, type Visit } from "./support/visit.ts";

const app = await App.start();

/** A job with a position, its page for a dispatcher, and a link that they have made there. */
async function shared(t: TestContext) {
  const journey = await app.job({ driver: "driver-01", customers: ["ann"] });
  const visit = await app.visit(t);
  await visit.signIn("dora");
  const board = await visit.open(`/board/${journey.job}`);
  const url = await makeLink(board);
  // Whoever joins sees nothing from before.
  await journey.drive();
  return { journey, board, url };
}

async function makeLink(board: Tab, last?: string): Promise<string> {
  await board.page.getByRole("button", { name: "Make a link" }).click();
  const field = board.page.getByLabel("Copy it now");
  return eventually("another link", async () => {
    const url = await field.inputValue();
    return url === last ? undefined : url;
  });
}

const show = (page: Page) => page.getByRole("button", { name: "Show it" }).click();

/** Opens a link and taps. */
async function tap(visit: Visit, url: string): Promise<Tab> {
  const tab = await visit.open(url);
  await show(tab.page);
  return tab;
}

test("a link shows the job once it is tapped, and nothing before", async (t) => {
  const { journey, url } = await shared(t);
  const code = new URL(url).hash.slice(1);
  const visit = await app.visit(t);
  const asked: { method: string; url: string; all: string }[] = [];
  visit.context.on("request", (request) => {
    asked.push({ method: request.method(), url: request.url(), all: `${request.url()} ${JSON.stringify(request.headers())} ${request.postData()}` });
  });
  const tab = await visit.open(url);
  await tab.sees("Somebody wants to show you where a vehicle is");
  await tab.page.waitForLoadState("networkidle");
  assert.deepEqual(asked.filter(({ method, all }) => method !== "GET" || all.includes(code)), [], "nothing is sent before the tap");
  assert.deepEqual(await visit.context.cookies(), []);
  assert.match((await tab.page.locator('meta[name="robots"]').getAttribute("content")) ?? "", /noindex/);
  assert.equal(await tab.page.locator('meta[name="referrer"]').getAttribute("content"), "no-referrer");

  await show(tab.page);
  await tab.page.waitForURL(`**/jobs/${journey.job}`);
  await tab.sees("The vehicle is on the map");
  assert.deepEqual(asked.filter(({ all }) => all.includes(code)).map(({ method, url }) => `${method} ${new URL(url).pathname}`), ["POST /session/link"]);
  for (const { name, httpOnly, sameSite } of await visit.context.cookies()) assert.ok(httpOnly && sameSite === "Lax", name);
  // The code is not in the history.
  await tab.page.goBack();
  assert.equal(tab.page.url(), "about:blank");
});

test("whoever comes by a link has that job, and nothing else", async (t) => {
  const { journey, url } = await shared(t);
  const other = await app.job({ driver: "driver-02", customers: ["ann"] });
  await other.drive();
  const visit = await app.visit(t);
  visit.announce(...REFUSED);
  const { page } = await tap(visit, url);
  await page.waitForURL(`**/jobs/${journey.job}`);
  for (const path of ["/", `/board/${journey.job}`, `/board/${journey.job}/trail?format=gpx`]) {
    await page.goto(path);
    assert.equal(new URL(page.url()).pathname, `/jobs/${journey.job}`, path);
  }
  const status = (path: string) => page.evaluate(async (path) => (await fetch(path)).status, path);
  assert.equal(await status(`/api/jobs/${journey.job}/location`), 200);
  assert.equal(await status(`/api/jobs/${other.job}/location`), 403);
  assert.equal(await status("/api/jobs?state=open"), 403);
});

test("whoever leaves a link, or comes back when its session is over, is told to open it again", async (t) => {
  const { journey, url } = await shared(t);
  const visit = await app.visit(t);
  // Whoever leaves may have been about to get a token.
  visit.announce(/status of 401 .*\/api\/ably-token/, /Ably: .*"message":"no token"/);
  const tab = await tap(visit, url);
  await tab.sees("The vehicle is on the map");
  await tab.page.getByRole("button", { name: "Leave" }).click();
  await tab.page.waitForURL("**/t");
  await tab.sees("Open the link that you were sent");
  assert.deepEqual(await visit.context.cookies(), []);
  await tab.page.goto(`/jobs/${journey.job}`);
  await tab.sees("Open that link again: you need no account");
  await tab.page.goto("/board");
  assert.doesNotMatch(await tab.sees("Whoever opens this page can be anybody"), /Open that link again/);
  await tap(visit, url);
  const form = { method: "POST", maxRedirects: 0, headers: { origin: app.url } } as const;
  await eventually("a guest", async () => ((await visit.context.cookies()).some(({ name }) => name === "guest") ? true : undefined));
  // As the form does that no script has got to yet.
  assert.equal((await visit.context.request.fetch("/session/sign-out", form)).headers().location, "/t");
});

test("a link that is revoked ends what it shows, and opens nothing again", async (t) => {
  const { journey, board, url: other } = await shared(t);
  const url = await makeLink(board, other);
  await journey.drive();
  const visit = await app.visit(t);
  visit.announce(...REFUSED);
  const tab = await tap(visit, url);
  await tab.sees("The vehicle is on the map");
  // As over http, where there is no clipboard.
  await board.page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await board.page.getByRole("button", { name: "Copy" }).click();
  assert.equal(await board.page.evaluate(() => getSelection()?.toString()), url);

  const row = board.page.getByRole("listitem").filter({ hasText: `…${url.slice(-4)}` });
  await row.locator("summary").click();
  await row.getByRole("button", { name: "Revoke it" }).click();
  assert.doesNotMatch(await board.sees("whoever has that link sees nothing any more"), /Copy it now|The link is made/);
  await tab.sees("This link shows no vehicle any more");

  const again = await tap(await app.visit(t), url);
  await again.sees("This link does not work any more");
  // The other one stays.
  const last = await tap(await app.visit(t), other);
  await last.page.waitForURL(`**/jobs/${journey.job}`);
});

test("a link ends with the job", async (t) => {
  const { journey, url } = await shared(t);
  const visit = await app.visit(t);
  visit.announce(...REFUSED);
  const tab = await tap(visit, url);
  await tab.sees("The vehicle is on the map");
  await journey.close();
  await tab.sees(/The job is (done|over)/);
  const again = await tap(await app.visit(t), url);
  await again.sees("This job is over");
  assert.deepEqual(await again.visit.context.cookies(), [], "no session begins");
});

test("where somebody is signed in they are asked before it signs them out", async (t) => {
  const { journey, url } = await shared(t);
  const visit = await app.visit(t);
  visit.announce(...REFUSED);
  await visit.signIn("ben");
  const tab = await tap(visit, url);
  await tab.sees("You are signed in as Ben");
  await tab.page.getByRole("link", { name: "Stay signed in" }).click();
  await tab.page.waitForURL("**/jobs");
  await tab.reads(".who", "Ben");

  const other = await tap(visit, url);
  await other.page.getByRole("button", { name: "Sign out and show it" }).click();
  await other.page.waitForURL(`**/jobs/${journey.job}`);
  await other.reads(".who", "Guest");
  // The tab from before is not Ben's any more, whichever of the two notices first: its client, or the server that renders it anew.
  await tab.reads("body", /Somebody else has signed in in this browser|Guest/);
  // And one link after another needs no question.
  const last = await tap(visit, url);
  await last.page.waitForURL(`**/jobs/${journey.job}`);
});

test("of two links a browser shows the one that was opened last, and says so where the other one was", async (t) => {
  const [{ journey, url }, other] = [await shared(t), await shared(t)];
  const visit = await app.visit(t);
  visit.announce(...REFUSED);
  const tab = await tap(visit, url);
  await tab.sees("The vehicle is on the map");
  const last = await tap(visit, other.url);
  await last.page.waitForURL(`**/jobs/${other.journey.job}`);
  await tab.sees(/Not open here[^]*Another link is open in this browser[^]*open its link again/);
  assert.equal(await tab.page.title(), "Not open here · Towline");
  const again = await tap(visit, url);
  await again.page.waitForURL(`**/jobs/${journey.job}`);
  await last.sees("Another link is open in this browser");
});

test("a driver who opens a link is told what waits on this phone, and is off duty there", async (t) => {
  const { journey, url } = await shared(t);
  const visit = await app.visit(t);
  await visit.signIn("driver-02");
  const { page } = await tap(visit, url);
  await page.getByText("stay on this phone until Bruno signs in again").waitFor();
  await page.evaluate(() => sessionStorage.setItem("towline-duty", JSON.stringify({ user: "driver-02" })));
  await page.getByRole("button", { name: "Sign out and show it" }).click();
  await page.waitForURL(`**/jobs/${journey.job}`);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test("what is no link opens nothing, and no other site opens one", async (t) => {
  const { url } = await shared(t);
  const visit = await app.visit(t);
  const broken = await tap(visit, url.slice(0, -1));
  await broken.sees("This link is not whole");
  await (await visit.open("/t")).sees("Open the link that you were sent");

  const code = new URL(url).hash.slice(1);
  const post = (headers: Record<string, string>) => visit.context.request.post("/session/link", { data: { code }, headers });
  for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }, { origin: app.url, "sec-fetch-site": "cross-site" }, {}] as Record<string, string>[]) {
    assert.equal((await post(headers)).status(), 403);
  }
  for (const data of ["", "null", "[]", "{", '{"code":1}', '{"code":{"length":1}}']) {
    const answer = await visit.context.request.post("/session/link", { data: Buffer.from(data), headers: { origin: app.url } });
    assert.deepEqual(await answer.json(), { is: "wrong" }, data);
  }
  assert.deepEqual(await visit.context.cookies(), []);
});

test("another site signs nobody out", async (t) => {
  const visit = await app.visit(t);
  // Its forms bring no cookies.
  for (const send of [visit.context.request.post("/session"), visit.context.request.get("/session", { maxRedirects: 0 })]) {
    assert.equal((await send).headers()["set-cookie"], undefined);
  }
  await visit.signIn("ann");
  const signedOut = await visit.context.request.post("/session/sign-out", { headers: { origin: "https://evil.example" } });
  assert.equal(signedOut.status(), 403);
  assert.equal((await visit.context.request.post("/session")).status(), 204, "Ann still has her session");
});

test("without a script it says why it needs one", async (t) => {
  const { url } = await shared(t);
  const visit = await app.visit(t, { javaScriptEnabled: false });
  visit.announce(/_next\/static\/\S+: csp$/);
  await (await visit.open(url)).sees("This link needs a script");
});
