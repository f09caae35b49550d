// Access that ends, and what the page shows from then on.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { unique } from "../../e2e/support/world.ts";
import { assertOnward, streams } from "./support/judge.ts";
import { Journey } from "./support/platform.ts";
import { Site } from "./support/site.ts";
import { Phone, type Tab } from "./support/visit.ts";

const site = await Site.start();

/** From the answer to whoever has ended it: a second, and as long again for a machine that is busy with other tests. */
const AT_ONCE_MS = 2_000;

/** A customer who watches a vehicle under way. */
async function watching(t: TestContext, how: { stream: boolean; kept?: boolean; rendered?: boolean }) {
  const sub = unique("customer");
  const journey = await Journey.begin(site.world, { customers: [sub] });
  const { job } = journey;
  await journey.drive(2);
  const phone = await Phone.of(t, site);
  await phone.signIn({ role: "customer", sub, jobs: [job] });
  const tab = await phone.open("watch", { jobs: [job], ...how });
  await tab.sees(job, `at ${await journey.drive()} `);
  return { sub, journey, job, phone, tab };
}

/** Waits for what the page is to show, and that it was not late. */
async function seesAtOnce(tab: Tab, job: string, what: string) {
  const from = Date.now();
  await tab.sees(job, what);
  const took = Date.now() - from;
  assert.ok(took < AT_ONCE_MS, `${what} after ${took} ms`);
}

for (const stream of [false, true]) {
  const by = stream ? "streaming" : "by Ably";

  test(`a job that is closed ends its view within a second, ${by}`, async (t) => {
    const { journey, job, phone, tab } = await watching(t, { stream });
    await journey.close();
    await seesAtOnce(tab, job, "ended nowhere, 0 points");
    const after = phone.read.length;
    await tab.page.reload();
    await tab.sees(job, "ended nowhere, 0 points");
    assert.ok(phone.read.slice(after).every(({ text }) => !text.includes("at 10.")), "and it stays so");
    assertOnward(await tab.shown(job));
  });

  test(`who is removed sees nothing within a second, and who is added again sees it again, ${by}`, async (t) => {
    const { sub, journey, job, phone, tab } = await watching(t, { stream });
    await journey.register({ customers: [] });
    await seesAtOnce(tab, job, "not_yours nowhere, 0 points");
    const after = phone.read.length;
    await journey.drive(2);
    await tab.page.evaluate(() => document.body.append("later"));
    assert.ok(phone.read.slice(after).every(({ text }) => !text.includes("at 10.")));
    assertOnward(await tab.shown(job));
    await journey.register({ customers: [sub] });
    await tab.page.reload();
    // What was before they came back is not theirs.
    await tab.sees(job, "none nowhere, 0 points");
    await tab.sees(job, `at ${await journey.drive()} `);
  });

  test(`a job that is reassigned is empty within a second, and then the next driver's, ${by}`, async (t) => {
    const { journey, job, phone, tab } = await watching(t, { stream });
    await journey.register({ driver: unique("driver") });
    await seesAtOnce(tab, job, "reassigned nowhere, 0 points");
    const after = phone.read.length;
    const before = [1, 2, 3].map((n) => `at ${journey.at(n)} `);
    await tab.sees(job, `live at ${await journey.drive()} 16, 1 points`);
    assert.ok(phone.read.slice(after).every(({ text }) => before.every((at) => !text.includes(at))));
    assertOnward(await tab.shown(job));
  });

  test(`behind a gate nothing is shown until it opens, and then what comes after, ${by}`, async (t) => {
    const sub = unique("customer");
    const journey = await Journey.begin(site.world, { customers: [sub] });
    const { job } = journey;
    // Long enough for a slow machine to open the page.
    const opens = Date.now() + 6_000;
    await journey.register({ gate: { customer: { from: opens } } });
    await journey.drive(3);
    const phone = await Phone.of(t, site);
    await phone.signIn({ role: "customer", sub, jobs: [job] });
    const tab = await phone.open("watch", { jobs: [job], stream });
    await tab.sees(job, "withheld nowhere, 0 points");
    await journey.drive();
    await tab.sees(job, "none nowhere, 0 points");
    assert.ok(Date.now() >= opens);
    assert.ok(phone.read.every(({ text }) => !text.includes("at 10.")));
    await tab.sees(job, `live at ${await journey.drive()} 16, 1 points`);
    await tab.sees(job, `at ${await journey.drive()} 16, 2 points`);
    assertOnward(await tab.shown(job));
  });

  test(`behind a gate a job that is closed ends all the same, ${by}`, async (t) => {
    const sub = unique("customer");
    const journey = await Journey.begin(site.world, { customers: [sub] });
    const { job } = journey;
    await journey.register({ gate: { customer: { from: Date.now() + 600_000 } } });
    const phone = await Phone.of(t, site);
    await phone.signIn({ role: "customer", sub, jobs: [job] });
    const tab = await phone.open("watch", { jobs: [job], stream });
    await tab.sees(job, "withheld nowhere, 0 points");
    // There once it listens: a view that has only asked learns of it a little later.
    await streams(site, sub, job);
    await journey.close();
    await seesAtOnce(tab, job, "ended nowhere, 0 points");
  });

  test(`the way back shows nothing of a job that has ended meanwhile, ${by}`, async (t) => {
    const { journey, job, phone, tab } = await watching(t, { stream, kept: true });
    await tab.page.goto(`${site.url}/sign-in`);
    await journey.close();
    const after = phone.read.length;
    await tab.page.goBack({ waitUntil: "commit" });
    await tab.sees(job, "ended nowhere, 0 points");
    assert.ok(phone.read.length > after);
    assert.ok(phone.read.slice(after).every(({ text }) => !text.includes("at 10.")), JSON.stringify(phone.read.slice(after)));
  });

  test(`the way back asks before it shows what may still be seen, ${by}`, async (t) => {
    const { journey, job, phone, tab } = await watching(t, { stream, kept: true });
    await tab.page.evaluate(() => Object.assign(window, { sameDocument: true }));
    await tab.page.goto(`${site.url}/sign-in`);
    const lat = await journey.drive(2);
    const after = phone.read.length;
    await tab.page.goBack({ waitUntil: "commit" });
    await tab.sees(job, `live at ${lat} `);
    assert.ok(await tab.page.evaluate(() => "sameDocument" in window), "the browser has kept the page");
    const old = [1, 2, 3].map((n) => `at ${journey.at(n)} `);
    assert.ok(phone.read.slice(after).every(({ text }) => old.every((at) => !text.includes(at))), JSON.stringify(phone.read.slice(after)));
    await tab.sees(job, `at ${await journey.drive()} 16, ${journey.posted} points`);
    assertOnward(await tab.shown(job));
  });
}
