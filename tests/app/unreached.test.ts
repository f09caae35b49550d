// Pages that dispatchers type into, where this site or Towline is not reached for a while, or somebody else signs in meanwhile.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { Job } from "@towline/client";
import { eventually } from "../e2e/support/wait.ts";
import { unique } from "../e2e/support/world.ts";
import { App } from "./support/app.ts";
import { Platform } from "./support/platform.ts";
import { BROKEN, REFUSED, type Tab, type Visit } from "./support/visit.ts";

const app = await App.start();
const platform = new Platform(app.world);

const UNANSWERED = "No answer came: it may or may not have been done";

const read = (job: string) => platform.ask<Job>("GET", `/api/jobs/${job}`);

/** What the client of Towline, and that of Ably, say of answers that are not Towline's. */
const NOT_TOWLINE = [/status of 50\d .*\/api\//, /What answers \/api is not Towline/, /Ably: .*"code":40170/];

/** Dora's page, of which a test may break what it is connected by. */
async function open(t: TestContext, path: string, before?: (visit: Visit) => Promise<void>): Promise<Tab> {
  const visit = await app.visit(t);
  await before?.(visit);
  visit.announce(...BROKEN, ...REFUSED, ...NOT_TOWLINE);
  t.after(() => [app.toSite, app.toTowline].forEach((way) => way.open()));
  await visit.signIn("dora");
  return visit.open(path);
}

/** A job's page, with a latitude typed and not sent. */
async function typing(t: TestContext, before?: (visit: Visit) => Promise<void>) {
  const job = unique("job");
  await platform.register(job, "driver-01", { place: { lat: 10.5, lng: 16 } });
  const tab = await open(t, `/board/${job}`, before);
  const latitude = tab.page.getByLabel("Latitude");
  await tab.page.locator(".maplibregl-canvas").waitFor();
  // A page that is being rendered anew meanwhile would be another user's by then.
  await tab.page.waitForLoadState("networkidle");
  await latitude.fill("12.5");
  return { job, tab, latitude, change: () => tab.page.getByRole("button", { name: "Change", exact: true }).click() };
}

/** The page is looked at again, and asks for what is new. */
async function look(tab: Tab) {
  await tab.hide();
  await tab.unhide();
}

async function fillNewJob({ page }: Tab, name: string) {
  await page.locator("summary", { hasText: "New job" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("combobox", { name: "Driver" }).selectOption("driver-02");
}

const make = ({ page }: Tab) => page.getByRole("button", { name: "Make the job" }).click();

describe("without an answer", () => {
  test("of the site a job's page stays, says so, and goes on", async (t) => {
    const { job, tab, latitude, change } = await typing(t);
    await tab.whole();
    app.toSite.cut();
    for (let times = 0; times < 3; times++) {
      await look(tab);
      await tab.sees("No connection to this site");
    }
    await change();
    await tab.sees(UNANSWERED);
    assert.equal(await latitude.inputValue(), "12.5", "what was typed is kept");
    await tab.page.getByLabel("Name or id").fill("Cleo");
    await tab.page.getByRole("button", { name: "Add" }).click();
    await tab.reads("section[aria-labelledby=customers]", UNANSWERED);
    assert.equal(await tab.page.getByLabel("Name or id").inputValue(), "Cleo");

    app.toSite.open();
    await platform.ask("PUT", `/api/jobs/${job}/customers/ben`);
    await look(tab);
    await tab.sees(/^(?![^]*No connection)[^]*Customers\s+Ben/);
    assert.equal(await latitude.inputValue(), "12.5");
    await change();
    await tab.page.getByRole("button", { name: "Apply mine" }).click();
    await tab.sees("Changed.");
    assert.equal((await read(job)).place?.lat, 12.5);
  });

  test("of the site a new job is still in its form", async (t) => {
    const name = unique("made");
    const tab = await open(t, "/board");
    await fillNewJob(tab, name);
    // With all of its map, whose worker is a file, too.
    await tab.page.locator(".maplibregl-canvas").waitFor();
    await eventually("the map's worker", async () => (tab.page.workers().length > 0 ? true : undefined));
    await tab.page.waitForLoadState("networkidle");
    await tab.whole();
    app.toSite.cut();
    await make(tab);
    await tab.sees(UNANSWERED);
    assert.equal(await tab.page.getByLabel("Name").inputValue(), name);
    app.toSite.open();
    await make(tab);
    await tab.sees(`${name} is on the board`);
    assert.equal((await read(name)).driver, "driver-02");
  });

  test("of what renders pages alone, behind what goes on giving files, a job's page stays", async (t) => {
    const { tab, latitude } = await typing(t);
    const { context } = tab.visit;
    await tab.whole();
    await context.route(/^(?!.*(\/_next\/|\/api\/|\.svg))/, (route) => route.fulfill({ status: 502, contentType: "text/html", body: "Bad gateway" }));
    tab.visit.announce(/status of 502/);
    await look(tab);
    await tab.sees("No connection to this site");
    assert.equal(await latitude.inputValue(), "12.5");
    await context.unrouteAll();
    await look(tab);
    await tab.sees(/^(?![^]*No connection)/);
    assert.equal(await latitude.inputValue(), "12.5");
  });

  test("of the site a page that somebody has gone back to waits for it, and is shown then", async (t) => {
    const { tab, latitude } = await typing(t);
    await tab.whole();
    app.toSite.cut();
    // As a browser tells of a page that it has kept.
    await tab.page.evaluate(() => ["pagehide", "pageshow"].forEach((type) => dispatchEvent(new PageTransitionEvent(type, { persisted: true }))));
    const waits = tab.page.getByText("The page is shown again once there is one");
    await waits.waitFor();
    assert.equal(await latitude.isVisible(), false, "whose it is now nobody knows yet");
    app.toSite.open();
    await latitude.waitFor();
    assert.equal(await latitude.inputValue(), "12.5");
    assert.equal(await waits.count(), 0);
  });

  test("for long, a form says so", async (t) => {
    const { tab, latitude, change } = await typing(t, (visit) => visit.context.clock.install());
    const held = Promise.withResolvers<void>();
    await tab.visit.context.route(/\/board\//, async (route) => {
      if (route.request().method() === "POST") await held.promise;
      await route.fallback();
    });
    await change();
    await tab.page.clock.fastForward(10_000);
    await tab.sees("Still waiting for an answer");
    assert.equal(await latitude.inputValue(), "12.5");
    held.resolve();
    await tab.sees(/^(?![^]*Still waiting)[^]*Changed\./);
  });

  test("but that the page is of an earlier build, a form says that nothing was done", async (t) => {
    const { job, tab, latitude, change } = await typing(t);
    tab.visit.announce(/status of 404/);
    await tab.visit.context.route(/\/board\//, (route) =>
      route.request().method() === "POST" ? route.fulfill({ status: 404, headers: { "x-nextjs-action-not-found": "1" }, body: "Server action not found." }) : route.fallback(),
    );
    await change();
    await tab.sees("Nothing was done: this page is of an earlier version");
    assert.equal(await latitude.inputValue(), "12.5");
    assert.equal((await read(job)).place?.lat, 10.5);
  });

  test("of the site nobody is told that they have signed out", async (t) => {
    const { tab, latitude } = await typing(t);
    tab.visit.announce(/status of 502/);
    await tab.visit.context.route("**/session/sign-out", (route) => route.fulfill({ status: 502, body: "Bad gateway" }));
    const said = tab.page.waitForEvent("dialog");
    // The dialog keeps the click from returning.
    const pressed = tab.page.getByRole("button", { name: "Sign out" }).click();
    const dialog = await said;
    assert.match(dialog.message(), /you are still signed in/);
    await dialog.accept();
    await pressed;
    assert.equal(await latitude.inputValue(), "12.5");
  });

  test("of Towline a job's page keeps what it had, with all that is typed or begun there", async (t) => {
    const { tab, latitude } = await typing(t);
    const { page } = tab;
    await page.getByLabel("Done").check();
    await page.getByRole("button", { name: "Close the job" }).click();
    app.toTowline.cut();
    await look(tab);
    await tab.sees(/Towline cannot be reached just now[^]*Undo/);
    await page.getByRole("button", { name: "Undo" }).click();
    assert.equal(await latitude.inputValue(), "12.5");
    assert.equal(await page.locator(".maplibregl-canvas").count(), 1);
    app.toTowline.open();
    await look(tab);
    await tab.sees(/^(?![^]*cannot be reached)/);
    assert.equal(await latitude.inputValue(), "12.5");
  });

  test("of Towline at first a job's page comes by itself", async (t) => {
    const job = unique("job");
    await platform.register(job, "driver-01");
    app.toTowline.cut();
    const tab = await open(t, `/board/${job}`);
    await tab.sees("Towline cannot be reached just now");
    app.toTowline.open();
    await look(tab);
    await tab.sees(/^(?![^]*cannot be reached)[^]*Ada/);
  });

  test("of Towline a board says so, and keeps what it had", async (t) => {
    const [job, later] = [unique("job"), unique("later")];
    await platform.register(job, "driver-01");
    const tab = await open(t, "/board");
    const row = (jobId: string) => tab.page.locator(`[data-row="${jobId}"]`);
    await row(job).waitFor();
    await tab.sees(/Ada[^]*On duty\s+Dora/);
    assert.doesNotMatch(await tab.page.locator("main").innerText(), /does not answer/);
    await tab.whole();
    app.toTowline.cut();
    await tab.sees("Towline does not answer: this may be out of date.");
    assert.equal(await row(job).count(), 1);
    await platform.register(later, "driver-01");
    app.toTowline.open();
    await look(tab);
    await row(later).waitFor();
    assert.doesNotMatch(await tab.page.locator("main").innerText(), /does not answer/);
  });

  test("of Towline at first a board says of nothing that there is none", async (t) => {
    const job = unique("job");
    await platform.register(job, "driver-01");
    app.toTowline.cut();
    const tab = await open(t, "/board");
    const said = await tab.sees("Towline does not answer: this may not be all.");
    assert.match(said, /Alarms\s+Not known just now\.[^]*Which jobs are open is not known just now\.[^]*On duty\s+Not known just now\./);
    assert.doesNotMatch(said, /None\.|Nobody|Open jobs\s+0|no open jobs/);
    app.toTowline.open();
    await look(tab);
    await tab.page.locator(`[data-row="${job}"]`).waitFor();
  });

  test("of the site, or of Towline, a file is said not to be had, and the page stays", async (t) => {
    const { tab, latitude } = await typing(t);
    const { page } = tab;
    tab.visit.announce(/status of 503 .*\/trail\?/);
    const gpx = page.getByRole("link", { name: "GPX" });
    for (const way of [app.toTowline, app.toSite]) {
      await tab.whole();
      way.cut();
      await gpx.click();
      await tab.sees("It cannot be had just now");
      assert.equal(await latitude.inputValue(), "12.5");
      way.open();
      const [download] = await Promise.all([page.waitForEvent("download"), gpx.click()]);
      assert.match(download.suggestedFilename(), /^Trail .*\.gpx$/);
      await tab.sees(/^(?![^]*cannot be had)/);
    }
    assert.equal(await latitude.inputValue(), "12.5");
  });

  test("of Towline nobody is told that nothing was done", async (t) => {
    const name = unique("made");
    const tab = await open(t, "/board");
    await fillNewJob(tab, name);
    app.toTowline.loseAnswers();
    await make(tab);
    await tab.sees(UNANSWERED);
    app.toTowline.open();
    assert.equal((await read(name)).driver, "driver-02", "it was done");
  });
});

describe("where somebody else has signed in meanwhile", () => {
  const NOT_DONE = "Nothing was done: somebody else has signed in";

  /** Nothing else than the form tells the page. */
  async function another({ visit }: Tab) {
    await visit.context.route("**/api/**", (route) => route.abort());
    await visit.signIn("dmitri");
  }

  test("a job is not changed from the first one's page", async (t) => {
    const { job, tab, change } = await typing(t);
    await another(tab);
    await change();
    await tab.sees(NOT_DONE);
    await tab.page.getByRole("button", { name: "Make a link" }).click();
    await tab.reads("section[aria-labelledby=links]", NOT_DONE);
    const { place, customers } = await read(job);
    assert.deepEqual([place?.lat, customers], [10.5, []]);
  });

  test("nor closed, where that has begun", async (t) => {
    const { job, tab } = await typing(t);
    await tab.page.getByLabel("Done").check();
    await tab.page.getByRole("button", { name: "Close the job" }).click();
    await another(tab);
    await tab.sees(NOT_DONE, 20_000);
    assert.equal((await read(job)).state, "open");
  });

  test("nor made", async (t) => {
    const name = unique("made");
    const tab = await open(t, "/board");
    await fillNewJob(tab, name);
    await another(tab);
    await make(tab);
    await tab.sees(NOT_DONE);
    assert.equal(await tab.page.getByLabel("Name").inputValue(), name);
    await assert.rejects(read(name), /404/);
  });

  test("their page has nothing of what was typed", async (t) => {
    const { tab, latitude } = await typing(t);
    await another(tab);
    await look(tab);
    await tab.reads(".who", "Dmitri");
    assert.equal(await latitude.inputValue(), "10.5");
  });
});
