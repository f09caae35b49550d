// A page whose network is cut while the vehicle drives on: what is connected breaks, and nothing can be connected.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { post } from "../e2e/support/driving.ts";
import { eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { metres, type Place, placeOf, sights, watchMarker } from "./support/chart.ts";
import { BROKEN } from "./support/visit.ts";

/** Between two fixes, while the network is cut; and how far it is from one to the next, in degrees: 11 metres. */
const EVERY_MS = 1_000;
const STEP = 0.0001;

/** Metres: as much as a marker that has only been rounded to another pixel seems to go back. */
const ROUNDED = 2;

/** What breaks of a page's connections. */
type Ways = ("toAbly" | "toSite")[];

async function watchThrough(t: TestContext, seconds: number, ways: Ways) {
  const app = await App.start();
  const [driver, customer] = ["driver-01", "ann"];
  const { job } = await app.job({ driver, customers: [customer] });
  const session = app.world.session({ role: "driver", sub: driver });
  const posted: Place[] = [];
  const drive = async () => {
    const fix = { lat: 10 + posted.length * STEP, lng: 16 };
    posted.push(fix);
    await post(app.world, session, job, { ...fix, capturedAt: Date.now() });
  };
  await drive();
  const visit = await app.visit(t);
  visit.announce(...BROKEN);
  await visit.signIn(customer);
  const { page } = await visit.open(`/jobs/${job}`);
  const map = page.locator("[data-view]");
  const isThere = async () => {
    const last = (await sights(page)).at(-1);
    return last !== undefined && metres(placeOf(last), posted.at(-1)!) <= ROUNDED ? true : undefined;
  };
  const isWhole = async () => ((await map.getAttribute("data-points")) === String(posted.length) ? true : undefined);
  await map.waitFor();
  await watchMarker(page, job);
  await drive();
  await eventually("the marker to move", isThere);

  for (const way of ways) app[way].cut();
  await page.locator(`[data-job="${job}"][data-status="offline"]`).waitFor();
  // This wait is of a length: how long the network is gone is what is tested.
  for (const end = Date.now() + seconds * 1_000; Date.now() < end; await delay(EVERY_MS)) await drive();
  for (const way of ways) app[way].open();
  await drive();
  await eventually("the marker to be where the vehicle is", isThere, 90_000);
  await drive();
  await eventually("the marker to go on", isThere);
  await eventually(`a trail of ${posted.length} points`, isWhole).catch(async (error: Error) => {
    throw new Error(`${error.message}, where there are ${await map.getAttribute("data-points")}`);
  });
  let north = -Infinity;
  const seen = (await sights(page)).map(placeOf);
  for (const place of seen) {
    assert.ok(metres({ ...place, lat: north }, place) <= ROUNDED || place.lat >= north, `the marker was at ${north}, and then at ${place.lat}`);
    north = Math.max(north, place.lat);
  }
  assert.equal(await page.evaluate(() => performance.getEntriesByType("navigation").length), 1, "it is the same document");
  t.diagnostic(`${seen.length} places of the marker, ${posted.length} points of the trail`);
}

// An app for each: a cut is everybody's who is on it.
describe("no gap, and nothing goes back", { concurrency: true }, () => {
  test("where the way to Ably is cut for 20 s", (t) => watchThrough(t, 20, ["toAbly"]));
  test("where all ways are cut for 20 s", (t) => watchThrough(t, 20, ["toAbly", "toSite"]));
  // Ably remembers a connection for two minutes.
  test("where the way to Ably is cut for 3 minutes", (t) => watchThrough(t, 180, ["toAbly"]));
  test("where all ways are cut for 3 minutes", (t) => watchThrough(t, 180, ["toAbly", "toSite"]));
});
