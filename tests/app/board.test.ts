// A dispatcher's board: what is amiss is seen and told once, a row and a marker are one, and a job is made without hurting another.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job } from "@towline/client";
import type { Page } from "playwright-core";
import { channelOf } from "../e2e/support/driving.ts";
import { eventually } from "../e2e/support/wait.ts";
import { unique } from "../e2e/support/world.ts";
import { App } from "./support/app.ts";
import { Platform } from "./support/platform.ts";
import { Tow } from "./support/tow.ts";

const DISPATCHER = "dora";

const app = await App.start({ settings: { SILENT_AFTER_SECONDS: "2" } });
const platform = new Platform(app.world);

describe("the board", () => {
  const row = (page: Page, jobId: string) => page.locator(`[data-row="${jobId}"]`);
  const alarm = (page: Page, jobId: string) => page.locator("li[data-kind]", { has: page.locator(`a[href="/board/${jobId}"]`) });
  const order = (page: Page) => page.locator("[data-row]").evaluateAll((rows) => rows.map((one) => (one as HTMLElement).dataset.row));

  test("shows the open jobs, what is amiss with them, and makes one, where no script runs", async (t) => {
    const [waiting, mine] = [unique("job"), unique("made")];
    await platform.register(waiting, null, { startsAt: Date.now() - 60_000 });
    const visit = await app.visit(t, { javaScriptEnabled: false });
    visit.announce(/\.js: csp$/);
    await visit.signIn(DISPATCHER);
    const { page } = await visit.open("/board");
    assert.match(await page.locator("main").innerText(), /^This is as it was when the page was loaded/);
    assert.match(await row(page, waiting).innerText(), /Needs a driver/);
    assert.match(await alarm(page, waiting).innerText(), /has begun, and has no driver/);
    assert.match(await page.locator("section[aria-labelledby=map]").innerText(), /A map needs scripts\.\s+Each job’s page says where/);
    assert.equal(await page.getByRole("switch").isVisible(), false, "nobody is on duty whose page cannot say so");

    await page.goto(`/board?q=${waiting.slice(0, -1)}&show=live`);
    assert.deepEqual(await order(page), [waiting]);
    assert.match(await page.locator("main").innerText(), /Without scripts jobs cannot be filtered by “Live”, so all are shown/);
    assert.deepEqual(await page.locator("select[name=show] option").allInnerTexts(), ["All jobs", "Something amiss", "Needs a driver", "Parked"]);
    await page.goto(`/board?q=${waiting}&show=no_driver`);
    assert.deepEqual(await order(page), [waiting]);

    await page.locator("summary").click();
    await page.getByLabel("Name").fill(mine);
    await page.getByLabel("Latitude").fill("91");
    await page.getByRole("button", { name: "Make the job" }).click();
    assert.match(await page.locator("#new-lat-error").innerText(), /−90 to 90/);
    assert.equal(await page.getByLabel("Name").inputValue(), mine, "nothing that was typed is lost");
    await page.getByLabel("Latitude").fill("");
    await page.getByRole("button", { name: "Make the job" }).click();
    await page.getByText(`${mine} is on the board`).waitFor();
    assert.equal((await platform.ask<Job>("GET", `/api/jobs/${mine}`)).driver, null);
  });

  test("makes a job that is in the list at once, and leaves one that exists as it is", async (t) => {
    const [there, mine] = [unique("there"), unique("mine")];
    await platform.register(there, "driver-01", { customers: ["eva"], dispatchId: "west" });
    const visit = await app.visit(t);
    await visit.signIn(DISPATCHER);
    const tab = await visit.open("/board");
    const { page } = tab;
    await page.locator(".maplibregl-canvas").waitFor();
    await page.locator("summary").click();
    const make = () => page.getByRole("button", { name: "Make the job" }).click();

    await page.getByLabel("Name").fill(there);
    await page.getByLabel("Driver", { exact: true }).selectOption({ label: "Chidi" });
    await page.getByLabel("Customers").fill("Ann");
    await make();
    await tab.reads("#new-job-error", /was, a job of this name/);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "new-job", "whoever types goes on where it is wrong");
    const kept = await platform.ask<Job>("GET", `/api/jobs/${there}`);
    assert.deepEqual([kept.version, kept.driver, kept.customers, kept.dispatchId], [1, "driver-01", ["eva"], "west"]);

    await page.getByLabel("Name").fill(mine);
    await page.getByLabel("Customers").fill("Ann, not an id");
    await make();
    await tab.reads("#new-customers-error", /blank/);
    assert.equal(await page.getByLabel("Driver", { exact: true }).inputValue(), "driver-03");
    await page.getByLabel("Customers").fill("Ann, auth0|7");
    // Sooner than the list is asked for by itself.
    const asked = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/board"));
    const said = await page.locator("details [role=status]").first().elementHandle();
    await make();
    await asked;
    await row(page, mine).waitFor({ timeout: 4_000 });
    const made = await platform.ask<Job>("GET", `/api/jobs/${mine}`);
    assert.deepEqual([made.driver, made.customers], ["driver-03", ["ann", "auth0|7"]]);
    // The client may have listed it before the form was answered.
    await eventually("the next one to be another", async () => ((await page.getByLabel("Name").inputValue()) !== mine ? true : undefined));
    assert.equal(await page.getByLabel("Driver", { exact: true }).inputValue(), "");
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), "SUMMARY", "whoever has made it goes on from there");
    assert.equal(await said!.evaluate((one) => one.isConnected && one.textContent), `${mine} is on the board.`, "said where a reader listens already");
  });

  test("tells a silence once, has it first, and forgets it once the driver is heard of", async (t) => {
    const [mute, other] = [unique("z-mute"), unique("a-other")];
    await platform.register(other, null);
    const visit = await app.visit(t);
    await visit.signIn(DISPATCHER);
    const tab = await visit.open("/board");
    const { page } = tab;
    await tab.sees(/On duty\s+Dora/);
    // Only now, since what is amiss already as the board is opened is no news.
    await platform.register(mute, "driver-04");
    await platform.fix(mute, "driver-04");
    await tab.hide();
    await tab.unhide();
    const status = page.locator("section[aria-labelledby=alarms] [role=status]");
    await tab.reads(row(page, mute), /Dalia, Not heard of/);
    const ids = await order(page);
    assert.ok(ids.indexOf(mute) < ids.indexOf(other), "what is amiss stands first");
    await tab.reads(status, `${mute}: Dalia is not heard of`);
    assert.equal(await alarm(page, mute).count(), 1);

    await alarm(page, mute).getByRole("button", { name: /Dismiss/ }).click();
    await eventually("the alarm to go", async () => ((await alarm(page, mute).count()) === 0 ? true : undefined));
    assert.equal(await page.evaluate(() => document.activeElement?.id), "alarms", "whoever has dismissed it goes on from there");

    const since = visit.read.length;
    await platform.fix(mute, "driver-04");
    // She is that for two seconds: so it is enough that it could be read.
    await eventually("her to be heard of", () => (visit.read.slice(since).some(({ text }) => text.includes("Dalia, Live")) ? true : undefined));
    await tab.reads(row(page, mute), /Dalia, Not heard of/);
    await alarm(page, mute).waitFor();
    assert.equal(await alarm(page, mute).count(), 1, "another silence is another alarm");
    await alarm(page, mute).getByRole("link").click();
    await page.waitForURL(`**/board/${mute}`);
  });

  test("says of a silence whose driver is off duty that they are", async (t) => {
    const tow = await Tow.begin(app.world, { driver: "driver-08" });
    await tow.at(20, 16);
    await tow.heartbeat("off_duty");
    const visit = await app.visit(t);
    await visit.signIn(DISPATCHER);
    const tab = await visit.open("/board");
    assert.doesNotMatch(await tab.reads(row(tab.page, tow.job), /Off duty\s+Heard of last/), /Not heard of|is off duty/);
    await tab.reads(alarm(tab.page, tow.job), /is off duty/);
  });

  test("says of a silence whose vehicle had parked that it was, and not that its phone is heard of", async (t) => {
    const tow = await Tow.begin(app.world, { driver: "driver-09" });
    await tow.at(20, 16);
    await tow.heartbeat("parked");
    const visit = await app.visit(t);
    await visit.signIn(DISPATCHER);
    const tab = await visit.open("/board");
    assert.doesNotMatch(await tab.reads(row(tab.page, tow.job), /Not heard of\s+Heard of last [^.]*\. It was parked/), /is heard of/);
  });

  test("has an alarm without an age where it is not told since when", async (t) => {
    const tow = await Tow.begin(app.world, { driver: "driver-10" });
    await tow.heartbeat("no_permission");
    const visit = await app.visit(t);
    await visit.signIn(DISPATCHER);
    const tab = await visit.open("/board");
    const one = tab.page.locator('li[data-kind="no_permission"]', { has: tab.page.locator(`a[href="/board/${tow.job}"]`) });
    assert.doesNotMatch(await tab.reads(one, "may not tell where it is"), /\bnow\b|ago/);
  });

  test("leads whoever tabs past the alarms to the list", async (t) => {
    const job = unique("job");
    await platform.register(job, null, { startsAt: Date.now() - 60_000 });
    const visit = await app.visit(t);
    await visit.signIn(DISPATCHER);
    const { page } = await visit.open("/board");
    await alarm(page, job).waitFor();
    const skip = page.getByRole("link", { name: "To the list of jobs" });
    const opacity = () => skip.evaluate((one) => getComputedStyle(one).opacity);
    assert.equal(await opacity(), "0");
    await page.getByRole("button", { name: "Sign out" }).focus();
    await page.keyboard.press("Tab");
    assert.equal(await opacity(), "1");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("aria-label")), "Find a job or driver");
    assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation").length), 1, "it is the same document");
  });

  test("has the others on the map where one job is not answered", async (t) => {
    const [stuck, there] = [unique("stuck"), unique("there")];
    await Promise.all([stuck, there].map((jobId) => platform.register(jobId, "driver-07")));
    await platform.fix(there, "driver-07");
    const visit = await app.visit(t);
    await visit.signIn(DISPATCHER);
    await visit.context.route(`**/api/jobs/${stuck}/location`, () => {});
    const { page } = await visit.open("/board");
    await page.locator(`[role="img"][data-job="${there}"]`).waitFor();
    assert.match(await row(page, stuck).innerText(), /Loading|Not heard of/);
  });

  test("a row brings its vehicle to the middle of the map, and a marker its row into view", async (t) => {
    const jobs = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        const jobId = unique(`m${String(n).padStart(2, "0")}`);
        await platform.register(jobId, "driver-05");
        await platform.fix(jobId, "driver-05", 10 + n / 10);
        return jobId;
      }),
    );
    t.after(() => Promise.all(jobs.map((jobId) => platform.ask("POST", `/api/jobs/${jobId}/close`, { reason: "done" }))));
    const [first, last] = [jobs[0]!, jobs.at(-1)!];
    const visit = await app.visit(t);
    await visit.signIn(DISPATCHER);
    const tab = await visit.open("/board");
    const { page } = tab;
    // So that only these are in the list and on the map.
    await page.getByRole("searchbox").fill("Emil");
    const marker = (jobId: string) => page.locator(`[role="img"][data-job="${jobId}"]`);
    await marker(last).waitFor();

    const selected = async (jobId: string) => {
      await eventually(`${jobId} to be chosen`, async () => ((await row(page, jobId).getAttribute("data-selected")) === "true" ? true : undefined));
      assert.equal(await page.locator('[data-selected="true"][data-row]').count(), 1);
      assert.equal(await row(page, jobId).getByRole("button").getAttribute("aria-pressed"), "true");
      await page.locator(`[data-job="${jobId}"][data-selected="true"]`).waitFor();
    };
    await row(page, first).getByRole("button").focus();
    for (const key of ["End", "Home", "ArrowDown", "ArrowDown", "ArrowUp", "Enter"]) await page.keyboard.press(key);
    const chosen = (await order(page))[1]!;
    await selected(chosen);
    const middle = 10 + jobs.indexOf(chosen) / 10;
    await eventually("the map to have it in the middle", async () => {
      const [, lat] = (await page.locator("[data-view]").getAttribute("data-view"))!.split(",").map(Number);
      return Math.abs(lat! - middle) < 0.01 ? true : undefined;
    });

    await page.getByRole("button", { name: "Show all" }).click();
    const far = (await order(page)).at(-1)!;
    await marker(far).dispatchEvent("click");
    await selected(far);
    await eventually("its row to be in view", () => row(page, far).evaluate((one) => {
      const { top, bottom } = one.getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight ? true : undefined;
    }));
  });

  test("has whoever is on duty, and what they are notified of leads to its job", async (t) => {
    const job = unique("note");
    await platform.register(job, "driver-06");
    const [visit, other] = await Promise.all([app.visit(t), app.visit(t)]);
    await Promise.all([visit.signIn(DISPATCHER), other.signIn("dmitri")]);
    const [tab] = await Promise.all([visit.open("/board"), other.open("/board")]);
    const { page } = tab;
    await tab.reads("section[aria-labelledby=duty]", /Dmitri[^]*Dora/);
    await page.getByRole("switch", { name: "On duty", checked: true }).click();
    await tab.reads("section[aria-labelledby=duty]", /^(?![^]*Dora)/);
    await page.getByRole("switch", { name: "On duty", checked: false }).click();
    await tab.reads("section[aria-labelledby=duty]", /Dora/);
    await platform.ask("POST", `/api/users/${DISPATCHER}/notifications`, { id: unique("n"), type: "job.assigned", entityId: job, version: 1 });
    await tab.reads(page.locator("li[data-kind=notification]"), new RegExp(`${job}[^]*You take part in it`));
  });

  test("duty, and what was dismissed, stand while somebody is at a job's page, and after it", async (t) => {
    const [first, second] = [unique("first"), unique("second")];
    await Promise.all([first, second].map((jobId) => platform.register(jobId, null, { startsAt: Date.now() - 60_000 })));
    const [visit, other] = await Promise.all([app.visit(t), app.visit(t)]);
    await Promise.all([visit.signIn(DISPATCHER), other.signIn("dmitri")]);
    const tab = await visit.open("/board");
    const { page } = tab;
    const duty = page.getByRole("switch", { name: "On duty" });
    const isOn = (checked: boolean) => page.getByRole("switch", { name: "On duty", checked }).waitFor();
    const attached = async () => new Set((await app.ably.connections(DISPATCHER)).flatMap(({ channels }) => channels));
    const channel = channelOf(second);
    const holds = (what: string, is: (channels: Set<string>) => boolean) => eventually(what, async () => (is(await attached()) ? true : undefined));
    /** Through its alarm to a job, until what only the board listens to is let go. */
    const toJob = async (jobId: string) => {
      await holds("the board to listen", (channels) => channels.has(channel));
      await alarm(page, jobId).getByRole("link").click();
      await page.waitForURL(`**/board/${jobId}`);
      await holds("the board to be let go", (channels) => !channels.has(channel));
    };
    const onBoard = async () => {
      await row(page, first).waitFor();
      await holds("the board to listen", (channels) => channels.has(channel));
    };

    await alarm(page, second).getByRole("button", { name: /Dismiss/ }).click();
    await alarm(page, second).waitFor({ state: "detached" });
    await toJob(first);
    assert.ok((await attached()).has("presence:dispatch"), "whoever works on a job is on duty");
    await (await other.open("/board")).reads("section[aria-labelledby=duty]", /Dora/);
    await page.getByRole("link", { name: "All open jobs" }).click();
    await onBoard();
    await isOn(true);
    assert.deepEqual([await alarm(page, first).count(), await alarm(page, second).count()], [1, 0]);

    await duty.click();
    await isOn(false);
    // Amiss since after the server has rendered the list.
    const third = unique("third");
    await platform.register(third, null, { startsAt: Date.now() - 60_000 });
    for (const jobId of [first, third]) await alarm(page, jobId).getByRole("button", { name: /Dismiss/ }).click();
    // A page that does not have the router forget the board.
    const over = unique("over");
    await platform.register(over, null);
    await platform.ask("POST", `/api/jobs/${over}/close`, { reason: "done" });
    await platform.ask("POST", `/api/users/${DISPATCHER}/notifications`, { id: unique("n"), type: "job.closed", entityId: over, version: 2 });
    await toJob(over);
    await holds("nobody to be on duty who was not", (channels) => !channels.has("presence:dispatch"));
    // Out of the router's history, which has the list as it was.
    await page.goBack();
    await onBoard();
    await isOn(false);
    await row(page, third).waitFor();
    for (const jobId of [first, second, third]) assert.equal(await alarm(page, jobId).count(), 0, `${jobId} was dismissed`);
  });
});
