// The network between browser and Ably, or the service, is cut: what is connected breaks, and nothing can be connected.

import { describe, test } from "node:test";
import { unique } from "../../e2e/support/world.ts";
import { allWays, forgotten, watchThrough, wayToAbly } from "./support/cuts.ts";
import { streams } from "./support/judge.ts";
import { Journey } from "./support/platform.ts";
import { Site } from "./support/site.ts";
import { Phone } from "./support/visit.ts";

const SECONDS = 20;

// A site for each: a cut is everybody's who is on it.
describe("no gap, and nothing goes back", { concurrency: true }, () => {
  test("where the way to Ably is cut for 20 s", async (t) => {
    await watchThrough(t, await Site.start(), { seconds: SECONDS, cut: wayToAbly });
  });

  test("where all ways are cut for 20 s", async (t) => {
    await watchThrough(t, await Site.start(), { seconds: SECONDS, cut: allWays });
  });

  test("where all ways are cut for 20 s, and the page streams", async (t) => {
    await watchThrough(t, await Site.start(), { seconds: SECONDS, cut: allWays, stream: true });
  });

  test("where Ably has forgotten the connection when it comes back, as it does after two minutes", async (t) => {
    await watchThrough(t, await Site.start(), { seconds: 3, cut: forgotten });
  });

  test("where Ably is out, and the service is not, a stream stands in, and whoever is removed is told so", async (t) => {
    const site = await Site.start();
    const sub = unique("customer");
    const journey = await Journey.begin(site.world, { customers: [sub] });
    const { job } = journey;
    const phone = await Phone.of(t, site);
    await phone.signIn({ role: "customer", sub, jobs: [job] });
    const tab = await phone.open("watch", { jobs: [job] });
    await tab.sees(job, `live at ${await journey.drive()} `);
    site.toAbly.cut();
    await tab.sees(job, "offline");
    await tab.sees(job, `live at ${await journey.drive()} `);
    await streams(site, sub, job);
    await journey.register({ customers: [] });
    await tab.sees(job, "not_yours nowhere, 0 points");
  });
});
