// What holds of every page: it says what it can without a script and without a map, and fits people and their screens.

import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { launchBrowser } from "../local-ably/browser.ts";
import { App, NO_GPU, SOFTWARE_GPU } from "./support/app.ts";
import { small, violations, wide } from "./support/fit.ts";
import { type AppPage, somePages } from "./support/pages.ts";
import { Platform } from "./support/platform.ts";
import type { Visit } from "./support/visit.ts";

const app = await App.start();
const { jobs, pages } = await somePages(app);

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
const NARROW = { width: 320, height: 640 };
/** A desktop at 200 % zoom. */
const ZOOMED = { width: DESKTOP.width / 2, height: DESKTOP.height / 2 };

/** What a browser says of a page that is not there. */
const NOT_THERE = /status of 404 .*\/nowhere/;

/** Opens a page as whoever sees it, while the vehicles are under way. */
async function open(visit: Visit, { id, path }: AppPage) {
  visit.announce(NOT_THERE);
  for (const journey of jobs) await journey.drive();
  if (id) await visit.signIn(id);
  return visit.open(path);
}

for (const page of pages) {
  test(`${page.name} says what there is without a script`, async (t) => {
    const tab = await open(await app.visit(t, { javaScriptEnabled: false }), page);
    await tab.reads("body", page.says);
  });

  test(`${page.name} fits`, async (t) => {
    const tab = await open(await app.visit(t), page);
    await tab.page.getByRole("heading").first().waitFor();
    if (page.map) await tab.page.locator("[data-view] [data-job]").first().waitFor();
    const wrong: string[] = [];
    const found = (where: string, all: string[]) => void wrong.push(...all.map((one) => `${where}: ${one}`));
    for (const [name, size] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
      await tab.page.setViewportSize(size);
      for (const colorScheme of ["light", "dark"] as const) {
        await tab.page.emulateMedia({ colorScheme });
        found(`${name}, ${colorScheme}`, await violations(tab.page));
      }
      found(`${name}, too small`, await small(tab.page));
    }
    for (const [name, size] of Object.entries({ "320 px": NARROW, "200 %": ZOOMED })) {
      await tab.page.setViewportSize(size);
      found(`${name}, too wide`, await wide(tab.page));
      found(`${name}, too small`, await small(tab.page));
    }
    assert.deepEqual(wrong, []);
  });
}

test("people sign in and out without a script", async (t) => {
  const visit = await app.visit(t, { javaScriptEnabled: false });
  await jobs[0]?.drive();
  const tab = await visit.open("/");
  await tab.page.getByRole("button", { name: "Ben" }).click();
  await tab.reads("body", "Live");
  await tab.page.getByRole("button", { name: "Sign out" }).click();
  await tab.page.getByRole("button", { name: "Ben" }).waitFor();
  assert.deepEqual(await visit.context.cookies(), []);
});

test("without WebGL the text and the list serve", async (t: TestContext) => {
  const browser = await launchBrowser(...NO_GPU);
  after(() => browser.close());
  for (const page of pages.filter(({ map }) => map)) {
    const visit = await app.visit(t, {}, browser);
    const tab = await open(visit, page);
    await tab.sees("This browser draws no map");
    const [journey] = jobs;
    await journey?.drive();
    await tab.sees(/Live[^]*(just now|\b[0-9] s)/);
    await tab.page.close();
  }
});

test("with text twice as large, and the longest name, pages are no wider than a phone, and alarms can be read", async (t) => {
  const [platform, long] = [new Platform(app.world), "x".repeat(64)];
  for (const jobId of ["waiting", long]) await platform.register(jobId, null, { startsAt: Date.now() - 60_000 });
  const browser = await launchBrowser(...SOFTWARE_GPU, "--blink-settings=defaultFontSize=32");
  t.after(() => browser.close());
  const wrong: string[] = [];
  for (const one of [...pages, { name: "the job of that name", id: "dora", path: `/board/${long}` } as AppPage]) {
    const { page } = await open(await app.visit(t, { viewport: PHONE }, browser), one);
    await page.getByRole("heading").first().waitFor();
    wrong.push(...(await wide(page)).map((what) => `${one.name}: ${what}`));
    if (one.path !== "/board") continue;
    const alarm = page.locator('li[data-kind="no_driver"] a', { hasText: "waiting" });
    await alarm.waitFor();
    const [name, age] = await alarm.locator("> :first-child, > :nth-child(2)").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON() as DOMRect));
    assert.ok(name!.width > 100 && (age!.top >= name!.bottom || age!.left >= name!.right), JSON.stringify([name, age]));
  }
  assert.deepEqual(wrong, []);
});
