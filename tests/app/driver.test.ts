// The driver's page: what the phone has received is in the trail once, and in order; and it shares with nobody but who has the job, and only on duty.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Journey } from "../client/browser/support/platform.ts";
import { eventually } from "../e2e/support/wait.ts";
import { unique } from "../e2e/support/world.ts";
import { App } from "./support/app.ts";
import { drivesFor, inTrail, Phone } from "./support/phone.ts";
import { BROKEN as CUT } from "./support/visit.ts";

/** And what Ably's client says where it was offline for as long as it has a token. */
const BROKEN = [...CUT, /Ably: Auth\.requestToken\(\)/];

const app = await App.start();

/** From one place of a journey to another. */
const way = (journey: Journey, from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => journey.at(from + n));

/** That the trail is these places, each once, in order; where they are not said, all of the journey's. */
async function assertWhole(journey: Journey, places = way(journey, 1, journey.posted)) {
  const trail = await journey.trail();
  assert.deepEqual(trail.map(({ lat }) => lat), places);
  assert.deepEqual(trail.map(({ seq }) => seq), trail.map((_, n) => n + 1));
}

test("a page without a network posts everything once there is one, once and in order, with what the receiver has said", async (t) => {
  const journey = await app.job({ driver: "driver-01" });
  const phone = await Phone.of(t, app);
  phone.visit.announce(...BROKEN);
  const driving = await phone.drive("driver-01");
  await driving.sees(`Looking for your position, to share it for ${journey.job}`);
  await driving.moveOnline(journey, 3);
  await driving.sees("Nothing waits to be sent");
  await driving.sees(`Sharing your position for ${journey.job}`);
  phone.cut();
  await driving.moveOffline(journey, 8);
  await driving.sees("They will be sent when there is a network. They are kept on this phone.");
  await driving.sees(`Recording your position for ${journey.job}. It is not sent yet.`, 30_000);
  // What is sent first arrives, and the page does not hear so.
  const broken = app.toSite.broken;
  app.toSite.loseAnswers();
  await eventually("a post whose answer is lost", async () => (app.toSite.broken > broken && (await journey.trail()).length > 3 ? true : undefined));
  phone.open();
  await driving.sees("Nothing waits to be sent");
  await driving.moveOnline(journey, 2);
  await assertWhole(journey);
  await driving.receive({ latitude: 11, speed: 20, heading: 90 });
  await inTrail(journey, 14);
  const { speed, heading } = (await journey.trail()).at(-1) as { speed?: number; heading?: number };
  assert.deepEqual([speed, heading], [20, 90]);
});

test("off duty everything stops: nothing is received, said, or asked for any more", async (t) => {
  const driver = "driver-02";
  const journey = await app.job({ driver });
  const phone = await Phone.of(t, app);
  const { context } = phone.visit;
  await context.clock.install();
  const driving = await phone.drive(driver);
  await driving.moveOnline(journey, 2);
  await driving.sees("Your screen stays on");
  const present = () => app.ably.connections(driver);
  await eventually("the driver to be on duty", async () => ((await present()).some(({ channels }) => channels.includes("presence:dispatch")) ? true : undefined));
  assert.deepEqual(await driving.device(), { watches: 1, locks: 1 });
  const offDuty = driving.tab.page.waitForResponse((answer) => answer.url().endsWith("/heartbeat") && answer.request().postData() === '{"state":"off_duty"}');
  await driving.turn();
  await driving.sees("You are off duty. Nothing is shared.");
  await offDuty;
  assert.deepEqual(await driving.device(), { watches: 0, locks: 0 });
  // What is let go has a moment, for whoever only changes from one page to another.
  await eventually("the connection to be closed", async () => {
    await context.clock.runFor(1_000);
    return (await present()).length === 0 ? true : undefined;
  });
  const asked: string[] = [];
  context.on("request", (request) => void asked.push(`${request.method()} ${request.url()}`));
  await driving.receive({ latitude: 20 });
  await context.clock.runFor(120_000);
  assert.deepEqual(asked, []);
  assert.equal((await journey.trail()).length, 2);
});

test("a driver who does not allow their location is told how, and one who allows it roughly, what that means", async (t) => {
  const journey = await app.job({ driver: "driver-03" });
  const phone = await Phone.of(t, app, []);
  const driving = await phone.drive("driver-03");
  await driving.sees("You have not allowed your location");
  await driving.sees(/Safari on iPhone[^]*Chrome on Android[^]*Firefox/);
  await driving.sees(`Your position is not shared. You are on duty for ${journey.job}`);
  await driving.receive({ latitude: 10, accuracy: 3_000 });
  await phone.visit.context.grantPermissions(["geolocation"]);
  await driving.sees("Approximate position only");
  await driving.sees("It may be 3 km off");
  // What is near the bound between rough and good is one of both, and stays that.
  await driving.receive({ latitude: 10, accuracy: 110 });
  await driving.sees("It may be 110 m off");
  await driving.receive({ latitude: 10, accuracy: 95 });
  await driving.sees("It may be 95 m off");
  await driving.receive({ latitude: 10, accuracy: 8 });
  await driving.sees("To within 8 m.");
  await driving.receive({ latitude: 10, accuracy: 95 });
  await driving.sees("To within 95 m.");
  await driving.sees(`Sharing your position for ${journey.job}`);
});

test("a job that is assigned while the page is open appears; a second one does not take its place; and who has it no more shares no more", async (t) => {
  const driver = "driver-04";
  const phone = await Phone.of(t, app);
  const driving = await phone.drive(driver);
  const { page } = driving.tab;
  await driving.sees("On duty, with no job.");
  const first = await app.job({ driver });
  await driving.isFor(first.job);
  await driving.moveOnline(first, 1);
  const second = await app.job({ driver, from: 30 });
  await driving.sees(`You have a new job: ${second.job}. You still share for ${first.job}.`);
  await driving.moveOnline(first, 1);
  assert.deepEqual(await second.trail(), []);
  await page.getByRole("button", { name: `Switch to ${second.job}` }).click();
  await driving.sees(`Sharing your position for ${second.job}`);
  // The phone is where it was.
  await inTrail(second, 1);
  await driving.moveOnline(second, 2);
  await assertWhole(first);
  await second.register({ driver: unique("driver") });
  await driving.sees(new RegExp(`${second.job} is (another driver’s now|not yours any more). Your position is not shared for it any more.`));
  await driving.sees(`Sharing your position for ${first.job}`);
  await first.close();
  await driving.sees(new RegExp(`${first.job} is over. Your position`));
  await driving.sees("On duty, with no job.");
  assert.equal((await driving.device()).watches, 0);
  await assertWhole(second, [...way(first, 2, 2), ...way(second, 1, 2)]);
});

test("of a job that the list has no more a driver is told whether it is over, or was taken away", async (t) => {
  const driver = "driver-10";
  const phone = await Phone.of(t, app);
  phone.visit.announce(...BROKEN);
  const driving = await phone.drive(driver);
  // Only the list tells: nothing is posted.
  await driving.tab.page.route(/\/(location|heartbeat)$/, (route) => route.abort());
  for (const [end, said, isUntrue] of [
    [(journey: Journey) => journey.close(), "is over", "is not"],
    [(journey: Journey) => journey.register({ driver: unique("driver") }), "is not yours any more", "is over"],
  ] as const) {
    const journey = await app.job({ driver });
    await driving.isFor(journey.job);
    await end(journey);
    await driving.sees(`${journey.job} ${said}. Your position is not shared for it any more.`);
    assert.ok(!phone.visit.read.some(({ text }) => text.includes(`${journey.job} ${isUntrue}`)));
  }
});

test("a job that is taken away by mistake and given back is shared for again, and nothing is said against it", async (t) => {
  const driver = "driver-09";
  const journey = await app.job({ driver });
  const phone = await Phone.of(t, app);
  const driving = await phone.drive(driver);
  await driving.isFor(journey.job);
  await journey.register({ driver: unique("driver") });
  await driving.sees("Your position is not shared for it any more.");
  await journey.register({ driver });
  const said = await driving.isFor(journey.job);
  assert.doesNotMatch(said, /any more|another driver/);
});

test("a job that is taken away, given back and then over, while another is shared for, is not spoken of any more", async (t) => {
  const driver = "driver-10";
  const [first, second] = [await app.job({ driver }), await app.job({ driver, from: 30 })];
  const phone = await Phone.of(t, app);
  const driving = await phone.drive(driver);
  await driving.tab.page.getByRole("button", { name: first.job }).click();
  await driving.isFor(first.job);
  await first.register({ driver: unique("driver") });
  await driving.sees(new RegExp(`${drivesFor(second.job).source}[^]*${first.job} is [^]*any more`));
  await first.register({ driver });
  await driving.tab.page.getByRole("button", { name: first.job }).waitFor();
  await first.close();
  await driving.sees(new RegExp(`^(?![^]*${first.job})`));
});

test("who goes on duty again shares for no job by what was known before", async (t) => {
  const driver = "driver-08";
  const journey = await app.job({ driver });
  const phone = await Phone.of(t, app);
  const driving = await phone.drive(driver);
  await driving.isFor(journey.job);
  await driving.turn();
  await driving.sees("You are off duty.");
  await journey.register({ driver: unique("driver") });
  const before = phone.visit.read.length;
  await driving.turn();
  await driving.sees("On duty, with no job.");
  for (const { text } of phone.visit.read.slice(before)) assert.doesNotMatch(text, drivesFor(journey.job));
});

test("a page that is loaded again without a network records on, and sends it when there is one", async (t) => {
  const driver = "driver-05";
  const journey = await app.job({ driver });
  const phone = await Phone.of(t, app);
  phone.visit.announce(...BROKEN);
  const driving = await phone.drive(driver);
  const { page } = driving.tab;
  await driving.moveOnline(journey, 2);
  await page.evaluate(() => navigator.serviceWorker.ready);
  phone.cut();
  await driving.moveOffline(journey, 1);
  // What leads to another page elsewhere leads nowhere here: there is none without a network.
  await page.getByText("Towline", { exact: true }).click();
  await driving.moveOffline(journey, 1, 1);
  await page.reload();
  await driving.isFor(journey.job);
  // Each page begins with where the phone is.
  await driving.waits(3);
  await driving.moveOffline(journey, 3, 3);
  await page.reload();
  await driving.waits(7);
  phone.open();
  await driving.sees("Nothing waits to be sent");
  await driving.moveOnline(journey, 1);
  await assertWhole(journey, [...way(journey, 1, 4), ...way(journey, 4, 7), ...way(journey, 7, 8)]);
});

test("two drivers share a phone: nothing of the first is shown to the second, sent as theirs, or lost", async (t) => {
  const [hers, his] = [await app.job({ driver: "driver-06" }), await app.job({ driver: "driver-07", from: 40 })];
  const phone = await Phone.of(t, app);
  phone.visit.announce(...BROKEN, /status of 403/);
  const first = await phone.drive("driver-06");
  const { page } = first.tab;
  await first.moveOnline(hers, 2);
  await page.evaluate(() => navigator.serviceWorker.ready);
  // Nothing of her job gets through, but the rest does.
  await page.route("**/location", (route) => route.abort());
  await first.moveOffline(hers, 3);
  // He signs in behind the back of her page, and loads it again where there is no network.
  await phone.visit.signIn("driver-07");
  // She looks away and back: then a page asks whose it is.
  await first.tab.hide();
  await first.tab.unhide();
  await first.tab.reads("body", "Somebody else has signed in in this browser");
  phone.cut();
  const read = phone.visit.read.length;
  await page.unrouteAll();
  await page.reload();
  await first.sees("You are off duty. Nothing is shared.");
  await first.tab.reads(".who", "Goran");
  await first.sees("They are asked for once you are on duty");
  await first.turn();
  await first.sees("Your job appears here once there is a connection.");
  phone.open();
  await first.sees(`Sharing your position for ${his.job}`, 90_000);
  // The phone is where she has left it.
  await inTrail(his, 1);
  await first.moveOnline(his, 3);
  const ofHis = [...way(hers, 5, 5), ...way(his, 1, 3)];
  await assertWhole(his, ofHis);
  assert.equal((await hers.trail()).length, 2, "nothing more of hers as long as he has it");
  for (const { text } of phone.visit.read.slice(read)) assert.ok(!text.includes(hers.job) && !text.includes("Farah"), `he reads of her: ${text}`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
  await eventually("nothing of the page to be kept", () => page.evaluate(async () => ((await navigator.serviceWorker.getRegistrations()).length + (await caches.keys()).length === 0 ? true : undefined)));
  // She is back: what waits of hers is sent, before she is on duty.
  await phone.visit.signIn("driver-06");
  await page.goto("/drive");
  await first.sees("You are off duty. Nothing is shared.");
  await inTrail(hers, 5);
  await assertWhole(hers);
  await assertWhole(his, ofHis);
});
