// A page whose network is cut while the vehicle drives on.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../../e2e/support/wait.ts";
import { unique } from "../../../e2e/support/world.ts";
import { assertOnward } from "./judge.ts";
import { Journey } from "./platform.ts";
import type { Site } from "./site.ts";
import { Phone } from "./visit.ts";

/** Between two fixes, while the network is cut. */
const EVERY_MS = 1_000;

/** Breaks something, and returns what mends it. */
type Cut = (site: Site) => () => void | Promise<void>;

export const wayToAbly: Cut = ({ toAbly }) => {
  toAbly.cut();
  return () => toAbly.open();
};

/** Ably comes back as one that has never heard of anybody. */
export const forgotten: Cut = (site) => {
  const mend = wayToAbly(site);
  return async () => {
    await site.ably.stop();
    await site.ably.restart();
    await mend();
  };
};

export const allWays: Cut = ({ toAbly, toSite }) => {
  for (const relay of [toAbly, toSite]) relay.cut();
  return () => [toAbly, toSite].forEach((relay) => relay.open());
};

/** Watches a job through a cut of so many seconds, in which the driver posts on, and judges all that the page has shown. */
export async function watchThrough(t: TestContext, site: Site, { stream = false, seconds, cut }: { stream?: boolean; seconds: number; cut: Cut }) {
  const sub = unique("customer");
  const journey = await Journey.begin(site.world, { customers: [sub] });
  const { job } = journey;
  await journey.drive(3);
  const phone = await Phone.of(t, site);
  await phone.signIn({ role: "customer", sub, jobs: [job] });
  const tab = await phone.open("watch", { jobs: [job], stream });
  await tab.sees(job, `at ${await journey.drive()} `);
  const mend = cut(site);
  await tab.sees(job, "offline");
  // This wait is of a length: how long the network is gone is what is tested.
  for (const end = Date.now() + seconds * 1_000; Date.now() < end; await delay(EVERY_MS)) await journey.drive();
  await mend();
  const lat = await journey.drive(2);
  await tab.sees(job, `live at ${lat} `, 90_000);
  await tab.sees(job, `at ${await journey.drive()} `);
  const all = Array.from({ length: journey.posted }, (_, n) => n + 1);
  const whole = async () => ((await tab.shown(job)).at(-1)?.trail.length === all.length ? true : undefined);
  await eventually("a trail without a gap", whole).catch(async (error) => {
    throw new Error(`${error.message}: of ${all.length} there are ${(await tab.shown(job)).at(-1)?.trail}`);
  });
  const shown = await tab.shown(job);
  assert.deepEqual(shown.at(-1)?.trail, all);
  assertOnward(shown);
  const kept = shown.filter(({ status }) => status === "offline");
  assert.ok(kept.length > 0 && kept.every(({ lat }) => lat !== undefined), "a device that is cut off goes on to show where the vehicle was");
}
