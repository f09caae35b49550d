// What takes minutes, all at once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { channelOf } from "../../e2e/support/driving.ts";
import { unique } from "../../e2e/support/world.ts";
import { allWays, watchThrough, wayToAbly } from "./support/cuts.ts";
import { holds, holdsWithin, streams } from "./support/judge.ts";
import { Journey } from "./support/platform.ts";
import { Site } from "./support/site.ts";
import { Phone } from "./support/visit.ts";

/** Ably keeps a connection that is lost for two minutes. */
const SECONDS = 180;

describe("over minutes", { concurrency: true }, () => {
  test("no gap, and nothing goes back, where the way to Ably is cut for 3 minutes", async (t) => {
    await watchThrough(t, await Site.start(), { seconds: SECONDS, cut: wayToAbly });
  });

  test("no gap, and nothing goes back, where all ways are cut for 3 minutes, and the page streams", async (t) => {
    await watchThrough(t, await Site.start(), { seconds: SECONDS, cut: allWays, stream: true });
  });

  test("a tab that is hidden for more than a minute is connected to nothing, and is back at once when it is seen", async (t) => {
    const site = await Site.start();
    const sub = unique("customer");
    const journey = await Journey.begin(site.world, { customers: [sub] });
    const { job } = journey;
    await journey.drive();
    const phone = await Phone.of(t, site);
    await phone.signIn({ role: "customer", sub, jobs: [job] });
    const tabs = [await phone.open("watch", { jobs: [job] }), await phone.open("watch", { jobs: [job], stream: true })];
    for (const tab of tabs) await tab.sees(job, "live");
    await holds(site, sub, [channelOf(job)]);
    const hidden = Date.now();
    for (const tab of tabs) await tab.hide();
    await holdsWithin(90_000, site, sub);
    await streams(site, sub);
    assert.ok(Date.now() - hidden > 59_000, "not before");
    for (const tab of tabs) await tab.sees(job, "offline");
    const before = phone.read.length;
    const lat = await journey.drive(3);
    for (const tab of tabs) await tab.unhide();
    for (const tab of tabs) await tab.sees(job, `at ${lat} `);
    assert.ok(phone.read.slice(before).every(({ text }) => !text.includes(`at ${journey.at(1)} `)), "what it had is not shown until it has asked");
    await Promise.all([holds(site, sub, [channelOf(job)]), streams(site, sub, job)]);
    for (const tab of tabs) await tab.sees(job, `${3 + 1} points`);
  });
});
