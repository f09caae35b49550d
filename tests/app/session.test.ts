// Sessions that grow old while pages are open.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sign } from "../../scripts/dev/session.mjs";
import { eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import type { Visit } from "./support/visit.ts";

const app = await App.start();

/** Gives whoever is signed in a session with Towline that ends in so many seconds, or has. */
async function endsIn(visit: Visit, sub: string, role: string, seconds: number) {
  const value = sign({ sub, role, exp: Math.floor(Date.now() / 1_000) + seconds }, app.world.secret);
  await visit.context.addCookies([{ name: "session", value, url: app.url, httpOnly: true, sameSite: "Lax" }]);
}

test("a page stays where it is, with what was typed, while its session is about to end, and what is sent then is done", async (t) => {
  const { job } = await app.job({ driver: "driver-01" });
  const visit = await app.visit(t);
  await visit.signIn("dora");
  const { page } = await visit.open(`/board/${job}`);
  let moves = 0;
  page.on("framenavigated", () => (moves += 1));
  const customer = page.getByLabel("Name or id");
  await customer.fill("Ann");
  await endsIn(visit, "dora", "dispatcher", 250);
  // As when somebody comes back to the tab: the page is rendered anew.
  for (let count = 0; count < 3; count += 1) {
    const rendered = page.waitForResponse((response) => response.url().includes(`/board/${job}`) && response.request().method() === "GET");
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await rendered;
  }
  // Each rendering may name the page's address anew; it does not go round in circles.
  assert.ok(moves <= 3, `${moves} moves`);
  assert.equal(await customer.inputValue(), "Ann");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByText("Ann sees this job.").waitFor();
});

test("a session that was over for long is renewed by the page, as long as somebody is signed in", async (t) => {
  const journey = await app.job({ driver: "driver-02", customers: ["ben"] });
  await journey.drive();
  const visit = await app.visit(t);
  await visit.signIn("ben");
  await endsIn(visit, "ben", "customer", -4_000);
  // What was asked before it is renewed.
  visit.announce(/status of 401/);
  const tab = await visit.open(`/jobs/${journey.job}`);
  await tab.sees("Live");
  await eventually("a renewed session", async () => {
    const [cookie] = (await visit.context.cookies()).filter(({ name }) => name === "session");
    const { exp } = JSON.parse(Buffer.from(cookie?.value.split(".")[1] ?? "", "base64url").toString()) as { exp: number };
    return exp * 1_000 > Date.now() + 3_000_000 || undefined;
  });
  await journey.drive();
  assert.ok(!/signed out/i.test(await tab.page.innerText("body")));
});

test("where nobody is signed in any more, an open page goes to where one signs in", async (t) => {
  const journey = await app.job({ driver: "driver-03", customers: ["cleo"] });
  await journey.drive();
  const visit = await app.visit(t);
  await visit.signIn("cleo");
  visit.announce(/status of 401/, /no token/);
  const tab = await visit.open(`/jobs/${journey.job}`);
  await tab.sees("Live");
  await visit.context.clearCookies();
  await tab.hide();
  // Away for longer than a moment: the page asks whose it is.
  await tab.page.evaluate(() => {
    const real = performance.now.bind(performance);
    performance.now = () => real() + 60_000;
  });
  await tab.unhide();
  await tab.page.waitForURL(/\/sign-in/, { timeout: 20_000 });
});
