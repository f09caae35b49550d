// A dispatcher's page: the board, who is on duty, notifications.

import assert from "node:assert/strict";
import { test } from "node:test";
import { channelOf } from "../../e2e/support/driving.ts";
import { unique } from "../../e2e/support/world.ts";
import { holds } from "./support/judge.ts";
import { Journey } from "./support/platform.ts";
import { Site } from "./support/site.ts";
import { Phone } from "./support/visit.ts";

const DUTY = "presence:dispatch";

for (const stream of [false, true]) {
  test(`a board has each open job, and where its vehicle is, ${stream ? "streaming" : "on one connection"}`, async (t) => {
    const site = await Site.start();
    const begin = async (from: number) => {
      const journey = await Journey.begin(site.world, { from });
      await journey.drive();
      return journey;
    };
    // More than a browser has connections to an origin.
    const [one, other, ...rest] = [await begin(10), await begin(20), ...(await Promise.all([40, 50, 60, 70, 80].map(begin)))] as [Journey, Journey, ...Journey[]];
    const phone = await Phone.of(t, site);
    const sub = unique("dispatcher");
    await phone.signIn({ role: "dispatcher", sub });
    const tab = await phone.open("dispatch", { stream });
    await tab.reads("#board", "ok");
    for (const journey of [one, other, ...rest]) await tab.sees(journey.job, `${journey.driver} live at ${journey.at(1)}`);
    const next = await begin(30);
    await tab.sees(next.job, `live at ${await next.drive()}`);
    for (const journey of [one, other, ...rest]) await tab.sees(journey.job, `live at ${await journey.drive()}`);
    await one.close();
    await tab.page.locator(`[data-job="${one.job}"]`).waitFor({ state: "detached" });
    await other.register({ driver: unique("driver") });
    await tab.sees(other.job, /reassigned at $/);
    if (!stream) await holds(site, sub, [DUTY, `notifications:user:${sub}`, ...[other, next, ...rest].map(({ job }) => channelOf(job))]);
    // As long as nothing changes nothing is sent.
    const lists = site.asked.filter(({ path }) => path.startsWith("/api/jobs?state=open"));
    assert.ok(lists.length > 1 && lists.every(({ as, session }) => as === sub && session === sub));
    assert.deepEqual(phone.said, []);
  });
}

test("who is on duty is seen by others, in role and duty, and over a short absence", async (t) => {
  const site = await Site.start();
  const [ann, bob] = [unique("ann"), unique("bob")];
  const [hers, his] = [await Phone.of(t, site), await Phone.of(t, site)];
  await hers.signIn({ role: "dispatcher", sub: ann });
  await his.signIn({ role: "dispatcher", sub: bob });
  const [seeing, being] = [await hers.open("dispatch"), await his.open("dispatch")];
  await being.page.evaluate(() => beOnDuty("calls"));
  await seeing.reads("#duty", `${bob} dispatcher calls`);
  // Another duty takes the place of the first.
  await being.page.evaluate(() => { offDuty(); beOnDuty("roads"); });
  await seeing.reads("#duty", `${bob} dispatcher roads`);
  await being.page.reload();
  await being.reads("#connection", "connected");
  await being.page.evaluate(() => beOnDuty("roads"));
  assert.ok(hers.read.slice(hers.read.findLastIndex(({ text }) => text.includes("calls"))).every(({ text }) => text.includes(bob)), "a page that is loaded again is no absence");
});

test("a notification is shown once, and what may be missed is told", async (t) => {
  const site = await Site.start();
  const sub = unique("customer");
  const notify = async (id: string) => {
    const headers = { authorization: `Bearer ${site.world.session({ role: "service" })}` };
    const body = JSON.stringify({ id, type: "quote.changed", entityId: "quote-1", version: 1 });
    const answer = await fetch(`${site.world.url}/api/users/${sub}/notifications`, { method: "POST", headers, body });
    assert.equal(answer.status, 202, await answer.text());
  };
  const phone = await Phone.of(t, site);
  await phone.signIn({ role: "customer", sub });
  const tab = await phone.open("dispatch");
  await tab.reads("#missed", "1");
  await notify("n1");
  await notify("n1");
  await notify("n2");
  await tab.reads("#news", /^n2, n1$/);
  site.toAbly.cut();
  await tab.reads("#connection", "offline");
  await site.ably.stop();
  await site.ably.restart();
  await notify("n3");
  site.toAbly.open();
  await tab.reads("#missed", "2");
  await tab.reads("#board", "refused");
  await notify("n4");
  await tab.reads("#news", /^n4,.* n2, n1$/);
});
