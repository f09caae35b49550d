// A page that comes from the server with a first state in it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unique } from "../../e2e/support/world.ts";
import { assertOnward, holds, streams } from "./support/judge.ts";
import { Journey } from "./support/platform.ts";
import { Site } from "./support/site.ts";
import { Phone } from "./support/visit.ts";

const site = await Site.start();

for (const stream of [false, true]) {
  const by = stream ? "streaming" : "by Ably";

  test(`what was rendered on the server is hydrated as it is, and goes on from there, ${by}`, async (t) => {
    const sub = unique("customer");
    const journey = await Journey.begin(site.world, { customers: [sub] });
    const { job } = journey;
    const before = await journey.drive(3);
    const empty = await Journey.begin(site.world, { customers: [sub] });
    const phone = await Phone.of(t, site);
    await phone.signIn({ role: "customer", sub, jobs: [job, empty.job] });
    const answer = await phone.context.request.get(`${site.url}/watch?jobs=${job},${empty.job}&rendered${stream ? "&stream" : ""}`);
    assert.ok((await answer.text()).includes(`at <!-- -->${before}`) || (await answer.text()).includes(`at ${before} `), "the position stands in the HTML");
    const tab = await phone.open("watch", { jobs: [job, empty.job], rendered: true, stream });
    await tab.sees(job, `live at ${await journey.drive()} 16, 4 points`);
    await tab.sees(empty.job, `live at ${await empty.drive()} `);
    const shown = await tab.shown(job);
    assert.deepEqual([shown[0]?.status, shown[0]?.lat], ["live", before]);
    assert.ok(shown.every(({ lat }) => lat !== undefined), "it is not gone for a moment");
    assertOnward(shown);
    // React says on the console where what it renders is not what it finds.
    assert.deepEqual(phone.said, []);
  });

  test(`a first state that is older than it looks is not shown again on the way back, ${by}`, async (t) => {
    const sub = unique("customer");
    const journey = await Journey.begin(site.world, { customers: [sub] });
    const { job } = journey;
    const rendered = await journey.drive(3);
    const phone = await Phone.of(t, site);
    await phone.signIn({ role: "customer", sub, jobs: [job] });
    const tab = await phone.open("watch", { jobs: [job], rendered: true, stream, kept: true });
    const seen = await journey.drive();
    await tab.sees(job, `at ${seen} `);
    await (stream ? streams(site, sub, job) : holds(site, sub, [`dispatch:job:${job}`]));
    // Away within the page, as by a router, and back with the same first state.
    await tab.page.evaluate(() => show());
    await (stream ? streams(site, sub) : holds(site, sub));
    const now = await journey.drive();
    const all = phone.read.length;
    await tab.page.evaluate((job) => show(job), job);
    await tab.sees(job, `at ${now} `);
    const old = [rendered, seen].map((lat) => `at ${lat} `);
    assert.ok(phone.read.slice(all).every(({ text }) => old.every((at) => !text.includes(at))));
    await tab.page.goto(`${site.url}/sign-in`);
    await journey.register({ customers: [] });
    const left = phone.read.length;
    await tab.page.goBack({ waitUntil: "commit" });
    await tab.sees(job, "not_yours nowhere, 0 points");
    assert.ok(phone.read.slice(left).every(({ text }) => !text.includes("at 10.")));
  });
}
