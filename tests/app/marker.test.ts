// The marker on the map, measured on the screen, while a vehicle is really driven.

import assert from "node:assert/strict";
import { test } from "node:test";
import { drive, type Fix } from "../e2e/support/drive.ts";
import { post } from "../e2e/support/driving.ts";
import { eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { metres, metresAPixel, placeOf, sights, watchMarker } from "./support/chart.ts";
import { assertAlong } from "./support/along.ts";

const app = await App.start();

/** Metres. */
const NEAR = 1;

test("the marker follows a real drive to within a metre of each fix, and never goes back", async (t) => {
  const [driver, customer] = ["driver-01", "ann"];
  const { job } = await app.job({ driver, customers: [customer] });
  const session = app.world.session({ role: "driver", sub: driver });
  const driven = drive();
  // Nothing from before a job is its driver's.
  const later = Date.now() - driven[0]!.capturedAt;
  const fixes = driven.map((fix) => ({ ...fix, capturedAt: fix.capturedAt + later }));
  const send = async (fix: Fix) => {
    const { results } = await post(app.world, session, job, fix);
    assert.equal(results[0]?.status, "accepted");
  };
  await send(fixes[0]!);
  const visit = await app.visit(t);
  await visit.signIn(customer);
  const { page } = await visit.open(`/jobs/${job}`);
  await page.locator("[data-view]").waitFor();
  await watchMarker(page, job);
  const now = async () => (await sights(page)).at(-1);
  // So near that a pixel, of which a marker may be off by a half, is no half metre.
  for (let last = await now(); last === undefined || metresAPixel(last.view) > 0.5; last = await now()) {
    const before = last?.view[2];
    await page.getByRole("button", { name: "Zoom in" }).click();
    await eventually("the map to be nearer", async () => ((await now())?.view[2] !== before ? true : undefined));
  }
  // Whoever zooms is not followed any more.
  await page.getByRole("button", { name: "Follow" }).click();
  await watchMarker(page, job);
  for (const fix of fixes) {
    if (fix !== fixes[0]) await send(fix);
    await eventually(`the marker to be at ${fix.lat}, ${fix.lng}`, async () => {
      const last = await now();
      return last !== undefined && metres(placeOf(last), fix) <= NEAR ? true : undefined;
    }, 10_000).catch(async (error: Error) => {
      const last = await now();
      throw new Error(`${error.message}, where it is ${last && metres(placeOf(last), fix).toFixed(1)} m away`);
    });
  }
  const seen = await sights(page);
  assertAlong(seen.map(placeOf), fixes);
  t.diagnostic(`${seen.length} places of the marker between ${fixes.length} fixes, at ${metresAPixel(seen[0]!.view).toFixed(2)} m a pixel`);
});
