// A customer's pages: what they say of a job as it goes, and how much the browser has to load for it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Page } from "playwright-core";
import { BOUND_MS, eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { Tow } from "./support/tow.ts";
import { BROKEN, REFUSED, type Tab } from "./support/visit.ts";

const app = await App.start();

/** KB, compressed: what a customer's page may have of scripts, before the map. */
const MOST_KB = 230;

const PARKED = { speed: 0, accuracy: 8 };

declare const states: string[];

/** Notes each state that is read out. */
async function listen(page: Page) {
  await page.addInitScript(() => {
    const heard: string[] = [];
    Object.assign(window, { states: heard });
    new MutationObserver(() => {
      const said = document.querySelector<HTMLElement>('main [role="status"]')?.innerText.replace(/^\S+\s+/, "");
      if (said !== undefined && said !== heard.at(-1)) heard.push(said);
    }).observe(document, { childList: true, subtree: true, characterData: true });
  });
}

describe("a customer", { concurrency: 2 }, () => {
  test("is told each state of a job as it comes, and hears no more than that", async (t) => {
    const place = { lat: 10, lng: 16 };
    const tow = await Tow.begin(app.world, { customers: ["ann"], place });
    const visit = await app.visit(t);
    visit.announce(...REFUSED, ...BROKEN);
    await visit.signIn("ann");
    const page = await visit.context.newPage();
    await listen(page);
    const listening = listens(page, tow.job);
    const { sees } = bind(await visit.show(page, `/jobs/${tow.job}`));
    await listening;
    await sees("The vehicle has no position yet");
    await tow.at(10.01, 16, { speed: 10, accuracy: 30 });
    await sees(/The vehicle is moving[^]*Moving, 36 km\/h[^]*Last position[^]*just now|\d s ago[^]*within about 30 m/);
    await tow.at(10.008, 16, { speed: 0 });
    await sees("The vehicle has stopped");
    await tow.at(10.004, 16, { speed: 12 });
    await sees("Moving, 43 km/h");
    await tow.at(10, 16, PARKED);
    await sees(/The vehicle has arrived[^]*Arrived\s+(just now|\d s ago)/);
    assert.equal(await page.title(), "Arrived · Towline");
    const later = await visit.open(`/jobs/${tow.job}`);
    await later.sees("The vehicle has arrived");
    await later.page.close();
    await tow.put({ driver: "driver-02" });
    await sees("Another driver has taken over");
    assert.equal(await page.getByRole("img").count(), 0, "no marker is left");
    await tow.at(10.02, 16, { speed: 10 });
    await sees("The vehicle is moving");
    await tow.put({ customers: [] });
    await sees("This job is not shown to you");
    assert.equal(await page.title(), "No access · Towline");
    const heard = (await page.evaluate(() => states)).filter((state) => state !== "Loading");
    assert.deepEqual(heard, ["No position yet", "Live", "Arrived", "New driver", "Live", "No access"]);
  });

  test("is told why a job has ended", async (t) => {
    const visit = await app.visit(t);
    visit.announce(...REFUSED);
    await visit.signIn("ben");
    for (const [reason, said] of [["done", "The job is done"], ["cancelled", "The job was cancelled"], ["failed", "The job could not be done"]] as const) {
      const later = Date.now() + 3_600_000;
      // By Ably, which may end the token before it tells of the job; by a stream, which comes with a gate; and behind one.
      for (const [gate, before] of [[null, "The vehicle is moving"], [Date.now(), "The vehicle is moving"], [later, "You will see the vehicle later"]] as const) {
        const tow = await Tow.begin(app.world, { customers: ["ben"], ...(gate && { gate: { customer: { from: gate } } }) });
        await tow.at(11, 16, { speed: 10 });
        const page = await visit.context.newPage();
        const listening = gate ? page.waitForResponse((answer) => answer.url().endsWith(`/${tow.job}/stream`)) : listens(page, tow.job);
        const { sees } = bind(await visit.show(page, `/jobs/${tow.job}`));
        await listening;
        await sees(before);
        await tow.close(reason);
        assert.doesNotMatch(await sees(said), /Last position/);
        await page.reload();
        await sees(said);
        await page.close();
      }
    }
  });

  test("is told that a job has ended by itself", async (t) => {
    const visit = await app.visit(t);
    visit.announce(...REFUSED);
    await visit.signIn("cleo");
    const tow = await Tow.begin(app.world, { customers: ["cleo"] });
    const page = await visit.context.newPage();
    const listening = listens(page, tow.job);
    const tab = await visit.show(page, `/jobs/${tow.job}`);
    await tab.sees("The vehicle has no position yet");
    await listening;
    await tow.put({ endsAt: Date.now() + 3_000 });
    await tab.sees("The time for this job is over");
  });

  test("sees nothing of a driver behind a gate, is told until when, and then sees it by itself", async (t) => {
    const from = Date.now() + 20_000;
    const tow = await Tow.begin(app.world, { customers: ["cleo"], place: { lat: 12, lng: 16 }, gate: { customer: { from, within: 1_000 } } });
    await tow.at(12.1, 16);
    const visit = await app.visit(t);
    await visit.signIn("cleo");
    const first = await (await visit.context.request.get(`/jobs/${tow.job}`)).text();
    assert.match(first, /<dd>in \d+ s<\/dd>/);
    assert.doesNotMatch(first, /12\.1/);
    const tab = await visit.open(`/jobs/${tow.job}`);
    await tab.sees(/You will see the vehicle later[^]*Shown from\s+\d/);
    await tab.sees("You will see the vehicle when it is near");
    await tow.at(12.001, 16);
    await tow.at(12, 16, { speed: 5 });
    await tab.sees("The vehicle is moving");
  });

  test("is told when it is their own device that has no connection, and it goes on by itself", async (t) => {
    const own = await App.start();
    const tow = await Tow.begin(own.world, { customers: ["ann"] });
    await tow.at(13, 16, { speed: 9 });
    const visit = await own.visit(t);
    visit.announce(...BROKEN);
    await visit.signIn("ann");
    const tab = await visit.open(`/jobs/${tow.job}`);
    await tab.sees("The vehicle is moving");
    // With all of its map, which has its worker by then.
    await tab.page.locator("[data-view]").waitFor();
    await eventually("the map's worker", () => (tab.page.workers().length > 0 ? true : undefined));
    await tab.page.waitForLoadState("networkidle");
    for (const way of [own.toAbly, own.toSite]) way.cut();
    await tab.sees("This page has no connection just now");
    assert.equal(await tab.page.locator(".notice:visible").count(), 0, "it is said once");
    for (const way of [own.toAbly, own.toSite]) way.open();
    await tow.at(13.001, 16, { speed: 0 });
    await tab.sees("The vehicle has stopped");
  });

  test("is told when nothing can be asked from the beginning, and it goes on by itself", async (t) => {
    const own = await App.start();
    const tow = await Tow.begin(own.world, { customers: ["ann"] });
    await tow.at(13, 16, { speed: 9 });
    const visit = await own.visit(t);
    visit.announce(...BROKEN, /status of 50\d .*\/api\//, /What answers \/api is not Towline/, /Ably: .*"code":40170/);
    await visit.signIn("ann");
    own.toTowline.cut();
    const tab = await visit.open(`/jobs/${tow.job}`);
    await tab.sees(/No connection[^]*This page has no connection just now[^]*Where your vehicle is cannot be asked/);
    own.toTowline.open();
    await tab.sees("The vehicle is moving", 90_000);
  });

  test("is told when the driver's phone is silent, and when it is heard of without a position", async (t) => {
    const own = await App.start({ settings: { SILENT_AFTER_SECONDS: "5" } });
    const tow = await Tow.begin(own.world, { customers: ["ann"] });
    await tow.at(14, 16, { speed: 9 });
    const visit = await own.visit(t);
    await visit.signIn("ann");
    const tab = await visit.open(`/jobs/${tow.job}`);
    await tab.sees(/The driver's phone is not heard of[^]*Driver's phone heard\s+\d+ s ago/);
    // A phone says what it is about at its next heartbeat, and a page asks for that each half minute.
    const beating = setInterval(() => void tow.heartbeat("parked").catch(() => {}), 2_000);
    t.after(() => clearInterval(beating));
    await tab.sees("The vehicle is parked", 90_000);
  });

  test("has their jobs in a list, one alone at once, and news of them by itself", async (t) => {
    const visit = await app.visit(t);
    visit.announce(...REFUSED, ...BROKEN, /Ably: .*returned 403/);
    visit.context.setDefaultTimeout(BOUND_MS);
    await visit.signIn("deniz");
    const { page, sees } = bind(await visit.open("/jobs"));
    await sees("No vehicle is on its way to you");
    const one = await Tow.begin(app.world, { customers: ["deniz"] });
    await page.waitForURL(`**/jobs/${one.job}`);
    await sees("The vehicle has no position yet");
    const gate = { customer: { from: Date.now() + 3_600_000 } };
    const two = await Tow.begin(app.world, { customers: ["deniz"], gate });
    await page.goto("/jobs");
    const entry = (tow: Tow) => page.getByRole("link", { name: tow.job });
    assert.match(await entry(one).innerText(), /No position yet/);
    assert.match(await entry(two).innerText(), /Not visible yet/);
    const three = await Tow.begin(app.world, { customers: ["deniz"] });
    await entry(three).waitFor();
    await one.at(15, 16);
    await page.reload();
    assert.match(await entry(one).innerText(), /On the map/);
    await entry(one).click();
    await sees(/The vehicle is on the map[^]*Your other jobs \(2\)/);
    for (const tow of [one, three]) await tow.close("done");
    await page.getByRole("link", { name: "Your" }).click();
    // The one that is left.
    await page.waitForURL(`**/jobs/${two.job}`);
  });

  test("is told how far away it is by their own position, which nobody else is told", async (t) => {
    const tow = await Tow.begin(app.world, { customers: ["eva"] });
    await tow.at(16.05, 16);
    const visit = await app.visit(t, { geolocation: { latitude: 16.123456, longitude: 16 }, permissions: ["geolocation"] });
    const sent: string[] = [];
    visit.context.on("request", (request) => sent.push(`${request.url()} ${request.postData()}`));
    await visit.signIn("eva");
    const { page, sees } = bind(await visit.open(`/jobs/${tow.job}`));
    page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(String(payload))));
    assert.doesNotMatch(await sees("Use my position"), /From you/);
    // What is read out is there before it says something.
    const status = page.locator('button:text("Use my position") ~ [role="status"]');
    assert.equal(await status.textContent(), "");
    await status.evaluate((element) => {
      const heard: string[] = [];
      Object.assign(window, { states: heard });
      new MutationObserver(() => element.textContent && heard.push(element.textContent)).observe(element, { childList: true, subtree: true, characterData: true });
    });
    await page.getByRole("button", { name: "Use my position" }).press("Enter");
    await sees(/From you\s+8\.2 km as the crow flies/);
    await page.getByRole("img", { name: "You", exact: true }).waitFor();
    await tow.at(16.12, 16);
    await sees(/From you\s+380 m/);
    assert.deepEqual(await page.evaluate(() => states), ["Your browser is asked where you are.", "The vehicle is 8.2 km from you."], "it is read out once");
    const stop = page.getByRole("button", { name: "Stop using my position" });
    assert.ok(await stop.evaluate((button) => button === document.activeElement), "whoever has pressed it is still there");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Use my position" }).waitFor();
    assert.doesNotMatch(await page.locator("main").innerText(), /From you/);
    assert.ok(sent.length > 5 && sent.every((one) => !one.includes("16.12")), "it stays in the browser");
  });

  test("is told what to do where the browser does not say where they are", async (t) => {
    const tow = await Tow.begin(app.world, { customers: ["eva"] });
    await tow.at(16.05, 16);
    const visit = await app.visit(t);
    await visit.signIn("eva");
    const { page, sees } = bind(await visit.open(`/jobs/${tow.job}`));
    await page.getByRole("button", { name: "Use my position" }).click();
    await sees("Your browser does not let this page know where you are");
  });

  test("reads the state without a script", async (t) => {
    const tow = await Tow.begin(app.world, { customers: ["finn"] });
    await tow.at(17, 16, { speed: 10 });
    const closed = await Tow.begin(app.world, { customers: ["finn"] });
    await closed.close("done");
    const foreign = await Tow.begin(app.world, { customers: ["ann"] });
    const visit = await app.visit(t, { javaScriptEnabled: false });
    visit.announce(/no answer: GET \S+\.js: csp/);
    await visit.signIn("finn");
    const reads = async (job: string) => (await visit.open(`/jobs/${job}`)).page.locator("main").innerText();
    assert.match(await reads(tow.job), /Reload it for news[^]*The vehicle is moving\s+You see where it is\.[^]*Last position/);
    assert.match(await reads(closed.job), /The job is done/);
    assert.match(await reads(foreign.job), /This job is not shown to you/);
    const titles = await Promise.all(visit.context.pages().map((page) => page.title()));
    assert.deepEqual(titles, ["Live", "Done", "No access"].map((short) => `${short} · Towline`));
    assert.equal((await visit.context.request.get("/jobs/a%2Fb")).status(), 404);
  });

  test(`loads at most ${MOST_KB} KB of scripts before the map`, async (t) => {
    const tow = await Tow.begin(app.world, { customers: ["finn"] });
    await tow.at(18, 16, { speed: 10 });
    const visit = await app.visit(t);
    await visit.signIn("finn");
    const page = await visit.context.newPage();
    const scripts: Promise<{ isMap: boolean; kb: number }>[] = [];
    page.on("response", (answer) => {
      if (answer.request().resourceType() !== "script") return;
      const size = async () => ({ isMap: /maplibre/i.test(await answer.text()), kb: (await answer.request().sizes()).responseBodySize / 1_000 });
      scripts.push(size());
    });
    const tab = await visit.show(page, `/jobs/${tow.job}`);
    await page.locator("[data-view]").waitFor();
    assert.equal(await page.title(), "Live · Towline");
    // What is live is loaded, too.
    await tow.at(18.001, 16, { speed: 0 });
    await tab.sees("The vehicle has stopped");
    const loaded = await eventually("the map's own", async () => {
      const all = await Promise.all(scripts);
      return all.some(({ isMap }) => isMap) ? all : undefined;
    });
    const sum = (isMap: boolean) => loaded.filter((one) => one.isMap === isMap).reduce((kb, one) => kb + one.kb, 0);
    t.diagnostic(`${sum(false).toFixed(1)} KB of scripts before the map, and ${sum(true).toFixed(1)} KB with it`);
    assert.ok(sum(false) > 100 && sum(false) <= MOST_KB, `${sum(false).toFixed(1)} KB`);
  });
});

/** Waits until a page has Ably's channel of a job. */
async function listens(page: Page, job: string) {
  const socket = await page.waitForEvent("websocket");
  const isAttached = ({ payload }: { payload: string | Buffer }) => /"action":11\b/.test(String(payload)) && String(payload).includes(job);
  await socket.waitForEvent("framereceived", isAttached);
}

/** A tab's own functions, to be called by themselves. */
function bind(tab: Tab) {
  return { page: tab.page, sees: tab.sees.bind(tab) };
}
