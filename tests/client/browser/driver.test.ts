// A driver's page: what the phone has received is in the trail once, in order, as its driver's, whatever the network does and whoever has the
// phone next.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unique } from "../../e2e/support/world.ts";
import { DriversPhone } from "./support/phone.ts";
import { Journey } from "./support/platform.ts";
import { Site } from "./support/site.ts";

const TEN_MINUTES_MS = 600_000;
const EVERY_MS = 5_000;

test("a driver who was offline for ten minutes posts everything once, in order", async (t) => {
  const site = await Site.start();
  const journey = Journey.byClaim(site.world);
  const phone = await DriversPhone.of(t, site);
  const { context } = phone.phone;
  // The page's clock ends where ours is.
  await context.clock.install({ time: Date.now() - TEN_MINUTES_MS });
  await phone.signIn(journey);
  const tab = await phone.phone.open("driver", { jobs: [journey.job] });
  site.toSite.cut();
  await phone.move(tab, journey, TEN_MINUTES_MS / EVERY_MS, () => context.clock.runFor(EVERY_MS));
  const { waiting, durable } = await phone.until(tab, "all of them to wait", ({ waiting }) => waiting === journey.posted);
  assert.deepEqual([waiting, durable], [120, true]);
  assert.deepEqual(await journey.trail(), []);
  // What it sends first arrives, and it does not hear so.
  site.toSite.loseAnswers();
  await phone.until(tab, "a post whose answer is lost", () => site.toSite.broken > 0 && site.asked.some(({ method, path }) => method === "POST" && path.endsWith("/location")), () => context.clock.runFor(EVERY_MS));
  site.toSite.open();
  await phone.left(tab, journey, () => context.clock.runFor(EVERY_MS));
  await phone.move(tab, journey, 3);
  await phone.left(tab, journey);
  const trail = await journey.trail();
  assert.deepEqual(trail.map(({ lat }) => lat), phone.of(journey.driver));
  assert.deepEqual(trail.map(({ seq }) => seq), trail.map((_, n) => n + 1));
  assert.deepEqual(await phone.stored(tab), []);
});

test("what waits outlasts the page, and the tabs of a driver send it once", async (t) => {
  const site = await Site.start();
  const journey = await Journey.begin(site.world);
  const phone = await DriversPhone.of(t, site);
  await phone.signIn(journey);
  const tab = await phone.phone.open("driver", { jobs: [journey.job] });
  await phone.move(tab, journey, 5);
  await phone.left(tab, journey);
  const other = await phone.phone.open("driver");
  site.toSite.cut();
  await phone.move(tab, journey, 20);
  await phone.until(tab, "them to wait", ({ waiting }) => waiting === 20);
  // Killed, without a word.
  await tab.page.close({ runBeforeUnload: false });
  site.toSite.open();
  const again = await phone.phone.open("driver", { jobs: [journey.job] });
  await phone.move(again, journey, 5);
  for (const tab of [other, again]) await phone.left(tab, journey);
  const trail = await journey.trail();
  assert.deepEqual(trail.map(({ lat }) => lat), phone.of(journey.driver));
  assert.deepEqual(await phone.stored(again), []);
});

test("two drivers share a phone: what waits of the first is sent as theirs, when they are back", async (t) => {
  const site = await Site.start();
  const [hers, his] = [await Journey.begin(site.world, { from: 10, driver: unique("ann") }), await Journey.begin(site.world, { from: 20, driver: unique("bob") })];
  const phone = await DriversPhone.of(t, site);
  await phone.signIn(hers);
  const first = await phone.phone.open("driver", { jobs: [hers.job] });
  await phone.move(first, hers, 3);
  await phone.left(first, hers);
  site.toSite.cut();
  await phone.move(first, hers, 20);
  await phone.until(first, "hers to wait", ({ waiting }) => waiting === 20);
  const posts = site.asked.length;
  // He takes the phone, and signs in while her page is still open.
  await phone.signIn(his);
  site.toSite.open();
  const second = await phone.phone.open("driver", { jobs: [his.job] });
  await phone.move(second, his, 5);
  const queue = await phone.left(second, his);
  assert.deepEqual(queue.rejected, {});
  assert.deepEqual((await his.trail()).map(({ lat, driver }) => [lat, driver]), phone.of(his.driver).map((lat) => [lat, his.driver]));
  assert.equal((await hers.trail()).length, 3, "nothing more of hers as long as he has it");
  const waiting = await phone.stored(second);
  assert.deepEqual(waiting, phone.of(hers.driver).slice(3).map((lat) => ({ user: hers.driver, job: hers.job, lat })), "hers is all there, and nothing else");
  for (const { as, session, status, path } of site.asked.slice(posts)) assert.ok(as === session || status === 403, `${path} as ${as} by the session of ${session}: ${status}`);
  await second.page.evaluate(() => void towline.signOut({ endSession: () => fetch("/sign-out", { method: "POST" }), to: "/sign-in" }));
  await second.page.waitForURL("**/sign-in");
  await phone.signIn(hers);
  const third = await phone.phone.open("driver", { jobs: [hers.job] });
  await phone.left(third, hers);
  await phone.move(third, hers, 2);
  await phone.left(third, hers);
  assert.deepEqual((await hers.trail()).map(({ lat, driver }) => [lat, driver]), phone.of(hers.driver).map((lat) => [lat, hers.driver]));
  assert.equal((await his.trail()).length, 5);
  assert.deepEqual(await phone.stored(third), []);
});

test("a driver who signs out with fixes that cannot leave is asked, and what they give up is deleted", async (t) => {
  const site = await Site.start();
  const journey = await Journey.begin(site.world);
  const phone = await DriversPhone.of(t, site);
  await phone.signIn(journey);
  const tab = await phone.phone.open("driver", { jobs: [journey.job] });
  await phone.move(tab, journey, 2);
  await phone.left(tab, journey);
  // Of this job nothing is taken any more, but nobody has told the phone.
  await tab.page.route("**/location", (route) => route.abort());
  await phone.move(tab, journey, 3);
  await phone.until(tab, "them to wait", ({ waiting }) => waiting === 3);
  const signOut = (agrees: boolean) =>
    tab.page.evaluate(async (agrees) => {
      let told = 0;
      const done = await towline.signOut({ endSession: () => fetch("/sign-out", { method: "POST" }), to: "/sign-in", left: (count) => ((told = count), agrees) });
      return [told, done];
    }, agrees);
  assert.deepEqual(await signOut(false), [3, false]);
  assert.equal((await phone.stored(tab)).length, 3);
  await signOut(true).catch(() => {});
  await tab.page.waitForURL("**/sign-in");
  assert.deepEqual(await phone.stored(tab), []);
  assert.equal((await journey.trail()).length, 2);
});

test("a driver whose job is another's, or has ended, shares no more, and what is no one's is dropped", async (t) => {
  const site = await Site.start();
  const journey = await Journey.begin(site.world);
  const phone = await DriversPhone.of(t, site);
  await phone.signIn(journey);
  const tab = await phone.phone.open("driver", { jobs: [journey.job] });
  await phone.move(tab, journey, 2);
  await phone.left(tab, journey);
  await journey.register({ driver: unique("driver") });
  const lat = journey.at(journey.posted + 1);
  await tab.page.evaluate((lat) => receive(lat), lat);
  const { rejected } = await phone.until(tab, "to hear of it", ({ ended, waiting }) => ended === "reassigned" && waiting === 0);
  assert.deepEqual(rejected, { reassigned: 1 });
  assert.equal(await tab.page.evaluate(() => receive(1)), 0, "nobody asks where the phone is");
});

test("a driver's page that comes back as it was left goes on", async (t) => {
  const site = await Site.start();
  const journey = await Journey.begin(site.world);
  const phone = await DriversPhone.of(t, site);
  await phone.signIn(journey);
  const tab = await phone.phone.open("driver", { jobs: [journey.job], kept: true });
  await phone.move(tab, journey, 2);
  await phone.left(tab, journey);
  await tab.page.evaluate(() => Object.assign(window, { sameDocument: true }));
  await tab.page.goto(`${site.url}/sign-in`);
  await tab.page.goBack({ waitUntil: "commit" });
  await tab.reads("#driver", "this_tab");
  assert.ok(await tab.page.evaluate(() => "sameDocument" in window), "the browser has kept the page");
  await phone.move(tab, journey, 3);
  await phone.left(tab, journey);
  assert.deepEqual((await journey.trail()).map(({ lat }) => lat), phone.of(journey.driver));
});

declare const receive: (latitude: number) => number;
