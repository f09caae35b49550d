// More jobs than a board listens to at once: the list has all of them, and asks for the positions of those that it shows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { Platform } from "./support/platform.ts";

const WAITING = 220;

// Nobody is amiss for being slow here.
const app = await App.start({ settings: { SILENT_AFTER_SECONDS: "0" } });
const platform = new Platform(app.world);

test("past 200 jobs positions come for those in the list's view, and for the one that is chosen", async (t) => {
  for (let n = 0; n < WAITING; n += 20) await Promise.all(Array.from({ length: 20 }, (_, k) => platform.register(`a-${n + k}`, null)));
  const [chosen, other] = ["z-chosen", "z-other"];
  for (const jobId of [chosen, other]) {
    await platform.register(jobId, "driver-01");
    await platform.fix(jobId, "driver-01");
  }
  const far = "y-far";
  await platform.register(far, "driver-02");
  await platform.fix(far, "driver-02", 10);
  const asked = new Set<string>();
  const visit = await app.visit(t);
  visit.context.on("request", (request) => {
    const [, jobId] = /\/api\/jobs\/([^/]+)\/location$/.exec(request.url()) ?? [];
    if (jobId) asked.add(jobId);
  });
  await visit.signIn("dora");
  const tab = await visit.open("/board");
  const { page } = tab;
  const row = (jobId: string) => page.locator(`[data-row="${jobId}"]`);
  const marker = (jobId: string) => page.locator(`[role="img"][data-job="${jobId}"]`);
  const all = WAITING + 3;

  await tab.sees(`Positions of 0 of ${all} jobs: those in the list’s view.`);
  assert.equal(await page.locator("[data-row]").count(), all);
  await eventually("the rows that are seen to be asked for", () => (asked.has("a-0") ? true : undefined));
  assert.ok(asked.size < 40, `${asked.size} are asked for where some ten are seen`);
  // What is out of sight is not laid out, and so no text to a reader of what is painted.
  assert.match((await row(other).textContent()) ?? "", /Ada, Open/);
  assert.equal(asked.has(other), false);

  // The map goes with the list.
  const isOnMap = (jobId: string) =>
    eventually(`${jobId} to be on the map`, async () => {
      const [on, at] = await Promise.all([page.locator("[data-view]").boundingBox(), marker(jobId).boundingBox()]);
      return on && at && at.x > on.x && at.x + at.width < on.x + on.width && at.y > on.y && at.y + at.height < on.y + on.height ? true : undefined;
    });
  await page.getByRole("searchbox").fill("Bruno");
  await isOnMap(far);
  await page.getByRole("searchbox").fill("");
  await row(other).scrollIntoViewIfNeeded();
  for (const jobId of [chosen, other]) await tab.reads(row(jobId), /ago|now/);
  await tab.sees(`Positions of 3 of ${all} jobs: those in the list’s view.`);
  for (const jobId of [chosen, other, far]) await isOnMap(jobId);
  await row(chosen).getByRole("button").click();
  await row("a-0").scrollIntoViewIfNeeded();
  await marker(other).waitFor({ state: "detached" });
  assert.equal(await marker(chosen).count(), 1, "the one that is chosen stays");

  // Of few that are looked for, all.
  await page.getByRole("searchbox").fill("Ada");
  await marker(other).waitFor();
});

test("on a phone the first are on the map before the list is reached, and a row that is tapped brings the map into view, where it is on it", async (t) => {
  const visit = await app.visit(t, { viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true });
  await visit.signIn("dora");
  const tab = await visit.open("/board");
  const { page } = tab;
  const row = (jobId: string) => page.locator(`[data-row="${jobId}"]`);
  await tab.sees(`Positions of 3 of ${WAITING + 3} jobs: the first in the list.`);
  await page.locator('[role="img"][data-job="z-other"]').waitFor();

  const isInView = () =>
    page.locator("[data-view]").evaluate((map) => {
      const { top, bottom } = map.getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    });
  /** Where the page is scrolled to, in each frame until the map is in view. */
  const steps = async (jobId: string) => {
    await row(jobId).scrollIntoViewIfNeeded();
    await tab.reads(row(jobId), /ago|now/);
    assert.equal(await isInView(), false);
    await page.evaluate(() => {
      const steps = new Set<number>();
      Object.assign(window, { steps });
      addEventListener("scroll", () => steps.add(scrollY));
    });
    await row(jobId).getByRole("button").tap();
    await eventually("the map to be in view", async () => ((await isInView()) ? true : undefined));
    return page.evaluate(() => (window as unknown as { steps: Set<number> }).steps.size);
  };
  await page.emulateMedia({ reducedMotion: "no-preference" });
  const smooth = await steps("z-chosen");
  await page.emulateMedia({ reducedMotion: "reduce" });
  const jump = await steps("z-other");
  assert.ok(smooth > 1 && jump === 1, `${smooth} steps, and ${jump} with less motion`);

  await row("a-0").scrollIntoViewIfNeeded();
  const before = await page.evaluate(() => scrollY);
  await row("a-0").getByRole("button").tap();
  await page.locator('[data-row="a-0"][data-selected="true"]').waitFor();
  assert.equal(await page.evaluate(() => scrollY), before, "one that has no position is not on it");
});

test("a filter that needs the positions of all jobs is not offered, and one that is asked for shows all and says so", async (t) => {
  const visit = await app.visit(t);
  await visit.signIn("dora");
  const tab = await visit.open("/board?show=live");
  const { page } = tab;
  await tab.sees("With more than 200 jobs they cannot be filtered by “Live”, so all are shown.");
  assert.equal(await page.locator("[data-row]").count(), WAITING + 3);
  const select = page.getByRole("combobox", { name: "Which jobs" });
  assert.equal(await select.inputValue(), "all");
  assert.deepEqual(await select.locator("option").allInnerTexts(), ["All jobs", "Something amiss", "Needs a driver", "Parked"]);
  await select.selectOption({ label: "Needs a driver" });
  await tab.sees(`${WAITING} of ${WAITING + 3}`);
  assert.doesNotMatch(await page.locator("main").innerText(), /cannot be filtered/);
});
