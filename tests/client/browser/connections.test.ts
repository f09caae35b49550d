// How many connections a page holds, and what is attached: as the local Ably and the service count them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { channelOf } from "../../e2e/support/driving.ts";
import { unique } from "../../e2e/support/world.ts";
import { holds, streams } from "./support/judge.ts";
import { Journey } from "./support/platform.ts";
import { Site } from "./support/site.ts";
import { Phone } from "./support/visit.ts";

const site = await Site.start();

/** So many jobs, each with a fix. */
function journeys(count: number, customers: string[] = []) {
  return Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const journey = await Journey.begin(site.world, { from: 10 + n, customers });
      await journey.drive();
      return journey;
    }),
  );
}

for (const stream of [false, true]) {
  const by = stream ? "streaming" : "by Ably";
  /** Waits until somebody's one tab listens to these jobs and nothing else. */
  const listens = (user: string, ...jobs: string[]) => (stream ? streams(site, user, ...jobs) : holds(site, user, jobs.map(channelOf)));

  test(`60 fast switches between jobs leave one connection, and what is in view, ${by}`, async (t) => {
    const all = await journeys(60);
    const phone = await Phone.of(t, site);
    const sub = unique("dispatcher");
    await phone.signIn({ role: "dispatcher", sub });
    const [first, ...others] = all.map(({ job }) => job) as [string, ...string[]];
    const tab = await phone.open("watch", { jobs: [first], stream });
    await tab.sees(first, "live");
    for (const job of others) await tab.page.evaluate((job) => show(job), job);
    const [last, other] = [all.at(-1), all[30]] as [Journey, Journey];
    await tab.page.evaluate((jobs) => show(...jobs), [last.job, other.job]);
    await Promise.all([tab.sees(last.job, "live"), tab.sees(other.job, "live")]);
    await listens(sub, last.job, other.job);
    // And it is no mere seat: what happens there arrives.
    for (const journey of [last, other]) await tab.sees(journey.job, `at ${await journey.drive()} `);
    assert.equal(phone.sockets, stream ? 0 : 1, "the connection is the first one");
    const shown = await tab.shown();
    const own = new Map(all.map(({ job }, n) => [job, 10 + n]));
    for (const { job, lat } of shown) assert.ok(lat === undefined || Math.floor(lat) === own.get(job), "no job is ever seen where another one is");
    assert.deepEqual(phone.said, []);
  });

  test(`a job that comes and goes in a tick leaves nothing attached, nor does one that does so again and again, ${by}`, async (t) => {
    const sub = unique("customer");
    const [gone, next] = (await journeys(2, [sub])) as [Journey, Journey];
    const phone = await Phone.of(t, site);
    await phone.signIn({ role: "customer", sub, jobs: [gone.job, next.job] });
    const tab = await phone.open("watch", { stream });
    await tab.reads("#connection", /idle/);
    await tab.page.evaluate((job) => (show(job), show()), gone.job);
    for (let n = 0; n < 20; n += 1) await tab.page.evaluate((job) => (show(job), show(), show(job), show()), gone.job);
    await tab.page.evaluate((job) => show(job), next.job);
    await tab.sees(next.job, "live");
    await listens(sub, next.job);
    // Remounted as fast, and there to stay.
    await tab.page.evaluate(([one, other]) => { for (let n = 0; n < 20; n += 1) { show(one); show(other); show(); } show(one); }, [gone.job, next.job] as const);
    await tab.sees(gone.job, `at ${await gone.drive()} `);
    await listens(sub, gone.job);
    await tab.page.evaluate(() => show());
    await (stream ? streams(site, sub) : holds(site, sub));
  });

  test(`two tabs hold two connections, ${by}`, async (t) => {
    const sub = unique("customer");
    const [journey] = (await journeys(1, [sub])) as [Journey];
    const { job } = journey;
    const phone = await Phone.of(t, site);
    await phone.signIn({ role: "customer", sub, jobs: [job] });
    const tabs = [await phone.open("watch", { jobs: [job, job], stream }), await phone.open("watch", { jobs: [job], stream })];
    const held = () => (stream ? streams(site, sub, job, job) : holds(site, sub, [channelOf(job)], [channelOf(job)]));
    for (const tab of tabs) await tab.reads(`[data-job="${job}"] >> nth=0`, "live");
    await held();
    const lat = await journey.drive();
    for (const tab of tabs) await tab.reads(`[data-job="${job}"] >> nth=0`, `at ${lat} `);
    assert.equal(phone.sockets, stream ? 0 : 2, "one each, from the first to the last");
    await tabs[0]?.page.close();
    await (stream ? streams(site, sub, job) : holds(site, sub, [channelOf(job)]));
  });
}

test("more tabs than there are streams of a job for a user all go on, and do not end each other's", async (t) => {
  const sub = unique("customer");
  const [journey] = (await journeys(1, [sub])) as [Journey];
  const { job } = journey;
  const phone = await Phone.of(t, site);
  await phone.signIn({ role: "customer", sub, jobs: [job] });
  const tabs = [];
  for (let n = 0; n < 7; n += 1) {
    const tab = await phone.open("watch", { jobs: [job], stream: true });
    await tab.sees(job, /live|stale|silent/);
    tabs.push(tab);
  }
  const opened = () => site.asked.filter(({ path, session }) => session === sub && path.includes("/stream")).length;
  const lat = await journey.drive();
  for (const tab of tabs) await tab.sees(job, `at ${lat} `);
  assert.equal(opened(), 7);
  // Nor does anybody rush to a place that is free.
  await tabs.pop()?.page.close();
  const next = await journey.drive();
  for (const tab of tabs) await tab.sees(job, `at ${next} `);
  assert.equal(opened(), 7);
});
