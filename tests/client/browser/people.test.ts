// Two people, one browser: nothing of the first is shown to, or sent as, the second.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { unique } from "../../e2e/support/world.ts";
import { holds, streams } from "./support/judge.ts";
import { Journey } from "./support/platform.ts";
import { Site } from "./support/site.ts";
import { Phone, type Tab } from "./support/visit.ts";

const site = await Site.start();

/** Ann and Bob, each with a job of their own: hers is at 10 degrees north, his at 20. */
async function two(t: TestContext) {
  const [ann, bob] = [unique("ann"), unique("bob")];
  const hers = await Journey.begin(site.world, { from: 10, customers: [ann] });
  const his = await Journey.begin(site.world, { from: 20, customers: [bob] });
  for (const journey of [hers, his]) await journey.drive(2);
  const phone = await Phone.of(t, site);
  return {
    ann,
    bob,
    hers,
    his,
    phone,
    annSignsIn: () => phone.signIn({ role: "customer", sub: ann, jobs: [hers.job] }),
    bobSignsIn: () => phone.signIn({ role: "customer", sub: bob, jobs: [his.job] }),
    /** That nothing of hers could be read since then. */
    nothingOfHers(since: number) {
      const texts = phone.read.slice(since).filter(({ text }) => text.includes("at 10."));
      assert.deepEqual(texts, []);
    },
    /** That nothing was asked as anybody but whose session it was, but for what was refused. */
    nothingCrossed() {
      const own = site.asked.filter(({ session }) => session === ann || session === bob);
      for (const { as, session, path, status } of own) {
        if (status !== 403) assert.ok(as === session || (as === undefined && path.includes("/stream")), `${path} was asked as ${as}, with the session of ${session}, and answered ${status}`);
      }
    },
  };
}

function signOut(tab: Tab) {
  return tab.page.evaluate(() => void towline.signOut({ endSession: () => fetch("/sign-out", { method: "POST" }), to: "/sign-in" }));
}

for (const stream of [false, true]) {
  const by = stream ? "streaming" : "by Ably";

  test(`one signs out and another signs in on the same page, ${by}`, async (t) => {
    const { ann, bob, hers, his, phone, annSignsIn, bobSignsIn, nothingOfHers, nothingCrossed } = await two(t);
    await annSignsIn();
    const tab = await phone.open("watch", { jobs: [hers.job], stream, kept: true });
    await tab.sees(hers.job, "live at 10.");
    await signOut(tab);
    await tab.page.waitForURL("**/sign-in");
    const after = phone.read.length;
    await bobSignsIn();
    await tab.go("watch", { jobs: [his.job, hers.job], stream, kept: true });
    await tab.sees(his.job, "live at 20.");
    await tab.sees(hers.job, "not_yours nowhere, 0 points");
    await hers.drive();
    await tab.sees(his.job, `at ${await his.drive()} `);
    await (stream ? streams(site, ann) : holds(site, ann));
    // Back to her page, over his and the one to sign in.
    await tab.page.goBack({ waitUntil: "commit" });
    await tab.page.goBack({ waitUntil: "commit" });
    await tab.page.waitForURL((url) => url.search.includes(hers.job), { waitUntil: "commit" });
    await tab.sees(hers.job, "nowhere, 0 points");
    await hers.drive();
    await tab.page.evaluate(() => document.body.append("later"));
    nothingOfHers(after);
    await tab.go("watch", { jobs: [his.job], stream });
    await tab.sees(his.job, `at ${await his.drive()} `);
    nothingOfHers(after);
    nothingCrossed();
    assert.ok(site.asked.some(({ session }) => session === bob));
  });

  test(`another signs in in a second tab while the first is open, ${by}`, async (t) => {
    const { ann, hers, his, phone, annSignsIn, bobSignsIn, nothingOfHers, nothingCrossed } = await two(t);
    await annSignsIn();
    const first = await phone.open("watch", { jobs: [hers.job], stream });
    await first.sees(hers.job, /live at 10.*, 2 points/);
    await bobSignsIn();
    const second = await phone.open("watch", { jobs: [his.job], stream });
    await second.sees(his.job, "live at 20.");
    // It hears of it, is loaded anew, and is his; or has found out by itself a moment before.
    await first.sees(hers.job, /(not_yours|waiting) nowhere, 0 points/);
    const after = phone.read.length;
    await hers.drive(2);
    await (stream ? streams(site, ann) : holds(site, ann));
    await second.sees(his.job, `at ${await his.drive()} `);
    nothingOfHers(after);
    nothingCrossed();
  });

  test(`a session that changes without a word is noticed by the next request, and when the tab is seen, ${by}`, async (t) => {
    const { ann, hers, phone, annSignsIn, bobSignsIn, nothingOfHers, nothingCrossed } = await two(t);
    await annSignsIn();
    const asking = await phone.open("watch", { jobs: [hers.job], stream });
    const looking = await phone.open("watch", { jobs: [hers.job], stream });
    for (const tab of [asking, looking]) await tab.sees(hers.job, "live at 10.");
    await looking.hide();
    await bobSignsIn();
    const other = await Journey.begin(site.world, { from: 30, customers: [ann] });
    await asking.page.evaluate((job) => show(job), other.job);
    await asking.reads("#connection", "stopped");
    await looking.unhide();
    await looking.reads("#connection", "stopped");
    await looking.sees(hers.job, "nowhere, 0 points");
    const after = phone.read.length;
    await hers.drive(2);
    await (stream ? streams(site, ann) : holds(site, ann));
    nothingOfHers(after);
    nothingCrossed();
  });

  test(`who signs out in one tab is signed out in the others, ${by}`, async (t) => {
    const { ann, hers, phone, annSignsIn, nothingOfHers } = await two(t);
    await annSignsIn();
    const [one, other] = [await phone.open("watch", { jobs: [hers.job], stream }), await phone.open("watch", { jobs: [hers.job], stream })];
    for (const tab of [one, other]) await tab.sees(hers.job, "live at 10.");
    await signOut(one);
    for (const tab of [one, other]) await tab.page.waitForURL("**/sign-in");
    const after = phone.read.length;
    await hers.drive();
    await (stream ? streams(site, ann) : holds(site, ann));
    nothingOfHers(after);
  });

  test(`who cannot be signed out, as there is no network, is signed in still, ${by}`, async (t) => {
    const own = await Site.start();
    const sub = unique("ann");
    const journey = await Journey.begin(own.world, { customers: [sub] });
    await journey.drive();
    const phone = await Phone.of(t, own);
    await phone.signIn({ role: "customer", sub, jobs: [journey.job] });
    const tab = await phone.open("watch", { jobs: [journey.job], stream });
    await tab.sees(journey.job, "live");
    own.toSite.cut();
    assert.equal(await tab.page.evaluate(() => towline.signOut({ endSession: () => fetch("/sign-out", { method: "POST" }) }).catch(() => "failed")), "failed");
    own.toSite.open();
    await tab.sees(journey.job, `live at ${await journey.drive()} `);
  });
}
