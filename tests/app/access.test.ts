// Access that ends, and what a customer's page shows from then on.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { BrowserContextOptions, Locator } from "playwright-core";
import type { Journey } from "../client/browser/support/platform.ts";
import { eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { ON_DEVICE, onDevice } from "./support/phone.ts";
import { REFUSED, type Tab } from "./support/visit.ts";

// A page that does not come from the network by itself counts as one of the wide world, which may not ask this machine for anything.
const app = await App.start({ browser: ["--disable-features=LocalNetworkAccessChecks"] });

/** A second is what is claimed, and a quiet machine needs a tenth of it. It is doubled for one that is busy with other tests. */
const AT_ONCE_MS = 2_000;

/** Where the vehicle is: what latitudes begin with. */
const FROM = 47.47;

/** What can be read of a customer's page as long as it shows a position. */
const OF_A_POSITION = /Last position/;

/** Ann, who watches a vehicle under way. */
async function watching(t: TestContext, options: BrowserContextOptions = {}) {
  const journey = await app.job({ driver: "driver-01", customers: ["ann"], from: FROM });
  await journey.drive(2);
  const visit = await app.visit(t, options);
  await visit.context.addInitScript(ON_DEVICE);
  visit.announce(...REFUSED);
  await visit.signIn("ann");
  const tab = await visit.open(`/jobs/${journey.job}`);
  await live(tab, journey);
  return { journey, visit, tab };
}

/** Waits until the page shows positions as they happen. */
async function live({ page }: Tab, journey: Journey) {
  const map = page.locator("[data-view]");
  const points = async () => ((await map.getAttribute("data-points")) === String(journey.posted) ? true : undefined);
  await eventually("the trail", points);
  await journey.drive();
  await eventually("the trail to go on", points);
  await page.locator(`[data-view] [data-job="${journey.job}"]`).waitFor();
}

/** Waits until the page has that state, and shows nothing of a position. */
async function showsNothing({ page }: Tab, status: string) {
  await page.locator(`main > [data-status="${status}"]`).waitFor();
  assert.equal(await page.locator("[data-job], [data-view]").count(), 0, "there is no marker, and no map");
}

/** The same, and that it takes no longer from an answer that has just come. */
async function showsNothingAtOnce(t: TestContext, tab: Tab, status: string) {
  const from = Date.now();
  await showsNothing(tab, status);
  const took = Date.now() - from;
  t.diagnostic(`${status} ${took} ms after the answer`);
  assert.ok(took < AT_ONCE_MS, `${status} after ${took} ms`);
  assert.ok(!(await tab.markup()).includes(String(FROM)), "there is no latitude");
}

/** That the page, asked for anew, comes with no position. */
async function comesWithNothing(tab: Tab, status: string) {
  await tab.page.reload();
  await showsNothing(tab, status);
  assert.ok(!(await tab.page.content()).includes(String(FROM)), "there is no latitude");
}

test("a job that is closed ends its view within a second, and for good", async (t) => {
  const { journey, tab } = await watching(t);
  await journey.close();
  await showsNothingAtOnce(t, tab, "ended");
  await comesWithNothing(tab, "ended");
});

test("who is removed sees nothing within a second, and nothing of what was when they are added again", async (t) => {
  const { journey, tab } = await watching(t);
  await journey.register({ customers: ["ben"] });
  await showsNothingAtOnce(t, tab, "not_yours");
  await journey.drive(2);
  await comesWithNothing(tab, "not_yours");
  await journey.register({ customers: ["ann", "ben"] });
  await comesWithNothing(tab, "none");
});

test("a job that is reassigned is empty within a second, and then the next driver's", async (t) => {
  const { journey, tab } = await watching(t);
  await journey.register({ driver: "driver-02" });
  await showsNothingAtOnce(t, tab, "reassigned");
  await journey.drive();
  await tab.page.locator('[data-view][data-points="1"]').waitFor();
  await tab.page.locator('main > [data-status="live"]').waitFor();
});

test("whoever uses their own position can stop that as long as the job goes on, and it ends with the job", async (t) => {
  const { journey, visit, tab } = await watching(t, { permissions: ["geolocation"] });
  const { page } = tab;
  const [use, stop] = ["Use my position", "Stop using my position"].map((name) => page.getByRole("button", { name, exact: true })) as [Locator, Locator];
  const press = async (button: Locator, watches: number) => {
    await button.press("Enter");
    await eventually(`${watches} watches`, async () => ((await onDevice(page)).watches === watches ? true : undefined));
  };
  await visit.context.setGeolocation(null);
  await press(use, 1);
  await tab.sees("It keeps looking");
  await press(stop, 0);
  await visit.context.setGeolocation({ latitude: 47.5, longitude: 16 });
  await press(use, 1);
  await tab.sees("From you");
  await journey.register({ driver: "driver-02" });
  await showsNothing(tab, "reassigned");
  await eventually("whoever has pressed it to be still there", async () => ((await stop.evaluate((button) => button === document.activeElement)) ? true : undefined));
  await press(stop, 0);
  assert.ok(await use.evaluate((button) => button === document.activeElement), "and again");
  await press(use, 1);
  await journey.close();
  await showsNothing(tab, "ended");
  await eventually("it to end", async () => ((await onDevice(page)).watches === 0 ? true : undefined));
  assert.deepEqual([await use.count(), await stop.count()], [0, 0]);
});

for (const kept of [false, true]) {
  const how = kept ? "whose page the browser has kept" : "whose page is asked for anew";

  test(`the way back shows nothing of a job that has ended meanwhile, ${how}`, async (t) => {
    const { journey, visit, tab } = await watching(t);
    const { page } = tab;
    if (kept) {
      // Safari keeps a page whatever its headers say; Chromium one without `no-store`.
      await visit.context.route(`**/jobs/${journey.job}`, async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, headers: { ...response.headers(), "cache-control": "private" } });
      });
      await page.reload();
      await visit.context.unrouteAll({ behavior: "ignoreErrors" });
      await live(tab, journey);
      // One that is left while it asks is not kept.
      await page.waitForLoadState("networkidle");
    }
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));
    await page.goto("/sign-in");
    await journey.close();
    assert.ok(visit.read.some(({ text }) => OF_A_POSITION.test(text)));
    const after = visit.read.length;
    await page.goBack({ waitUntil: "commit" });
    await showsNothing(tab, "ended");
    assert.equal(await page.evaluate(() => "sameDocument" in window), kept, "the browser has kept the page");
    assert.ok(!(await tab.markup()).includes(String(FROM)), "there is no latitude");
    const texts = visit.read.slice(after).filter(({ page }) => page.includes(journey.job)).map(({ text }) => text);
    assert.ok(texts.length > 0);
    for (const text of texts) assert.doesNotMatch(text, OF_A_POSITION);
  });
}
