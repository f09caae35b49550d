// A dispatcher's duty: it is theirs, and their tab's, and outlasts that a page is loaded anew.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { channelOf } from "../e2e/support/driving.ts";
import { eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { stored } from "./support/left.ts";
import type { Tab, Visit } from "./support/visit.ts";

const app = await App.start();

const DUTY = "presence:dispatch";
const LIST = "section[aria-labelledby=duty]";

/** Dora, at the board, where a job is; and the job's page. */
async function atBoard(t: TestContext) {
  const { job } = await app.job({});
  const visit = await app.visit(t);
  await visit.signIn("dora");
  const tab = await visit.open("/board");
  await listens("dora", channelOf(job));
  return { visit, tab, job, page: `/board/${job}` };
}

/** Waits until whoever it is listens to a channel, and says which ones there are. */
function listens(user: string, channel: string): Promise<string[]> {
  return eventually(`${user} to listen to ${channel}`, async () => {
    const channels = (await app.ably.connections(user)).flatMap((one) => one.channels);
    return channels.includes(channel) ? channels : undefined;
  });
}

/** Leaves what a tab shows, until nothing of it is connected. */
async function leave({ page }: Tab, user: string) {
  await page.goto("about:blank");
  await eventually(`${user} to be gone`, async () => ((await app.ably.connections(user)).length === 0 ? true : undefined));
}

/** Loads a page anew, in the same tab. */
async function anew(tab: Tab, user: string) {
  const url = tab.page.url();
  await leave(tab, user);
  await tab.page.goto(url);
}

const isOn = ({ page }: Tab, checked: boolean) => page.getByRole("switch", { name: "On duty", checked }).waitFor();

/** Dmitri, who sees at his board who is on duty. */
async function dmitri(t: TestContext): Promise<{ visit: Visit; tab: Tab }> {
  const visit = await app.visit(t);
  await visit.signIn("dmitri");
  return { visit, tab: await visit.open("/board") };
}

test("whoever is on duty still is where a job's page is loaded anew", async (t) => {
  const { tab, job, page } = await atBoard(t);
  await tab.page.locator(`[data-row="${job}"]`).getByRole("link").first().click();
  await tab.page.waitForURL(`**${page}`);
  await anew(tab, "dora");
  await listens("dora", DUTY);
  await (await dmitri(t)).tab.reads(LIST, /Dora/);
});

test("whoever is off duty still is where the board, or a job's page, is loaded anew, and is not on it for a moment", async (t) => {
  const { tab, job, page } = await atBoard(t);
  const other = await dmitri(t);
  await other.tab.reads(LIST, /Dmitri[^]*Dora/);
  await tab.page.getByRole("switch", { name: "On duty" }).click();
  await other.tab.reads(LIST, /^(?![^]*Dora)/);
  const since = other.visit.read.length;
  await anew(tab, "dora");
  await isOn(tab, false);
  await listens("dora", channelOf(job));
  await tab.page.goto(page);
  await anew(tab, "dora");
  assert.ok(!(await listens("dora", channelOf(job))).includes(DUTY));
  // What is heard after it is heard after all of that.
  await tab.page.goto("/board");
  await isOn(tab, false);
  await tab.page.getByRole("switch", { name: "On duty" }).click();
  await other.tab.reads(LIST, /Dora/);
  const times = other.visit.read.slice(since).filter(({ text }, n, all) => text.includes("Dora") && !all[n - 1]?.text.includes("Dora"));
  assert.equal(times.length, 1, "she came back once");
});

test("a job's page in a tab of its own puts nobody on duty", async (t) => {
  const { visit, job, page, tab } = await atBoard(t);
  await leave(tab, "dora");
  await visit.open(page);
  assert.ok(!(await listens("dora", channelOf(job))).includes(DUTY));
});

test("whoever comes next in a tab has their own duty, and finds nothing of the one before", async (t) => {
  const { visit, tab, job, page } = await atBoard(t);
  // On duty, and somebody else signs in without her having signed out.
  await leave(tab, "dora");
  await visit.signIn("dmitri");
  await tab.page.goto(page);
  assert.ok(!(await listens("dmitri", channelOf(job))).includes(DUTY), "he is not on duty as she was");
  await tab.page.goto("/board");
  await isOn(tab, true);
  await tab.page.getByRole("switch", { name: "On duty" }).click();
  await isOn(tab, false);
  await tab.page.getByRole("button", { name: "Sign out" }).click();
  await tab.page.waitForURL("**/sign-in");
  assert.equal(await tab.page.evaluate(() => sessionStorage.length), 0);
  // He begins anew, too.
  await tab.page.getByRole("button", { name: "Dmitri" }).click();
  await isOn(tab, true);
  await listens("dmitri", channelOf(job));
  // To a page that keeps nothing of anybody's duty.
  await leave(tab, "dmitri");
  await visit.signIn("ann");
  await tab.page.goto("/jobs");
  await tab.sees("No vehicle is on its way to you");
  await eventually("nothing of his to be there", async () => ((await stored(visit, tab.page)).includes("dmitri") ? undefined : true));
});
