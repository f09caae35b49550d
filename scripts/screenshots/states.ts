// The states of which pictures are taken, and how each comes about.

import { eventually } from "../../tests/e2e/support/wait.ts";
import type { App } from "../../tests/app/support/app.ts";
import type { Tab, Visit } from "../../tests/app/support/visit.ts";
import type { Town } from "./town.ts";

export interface State {
  /** The name of its pictures. */
  name: string;
  /** Who sees it, of `session/people.json`. */
  id?: string;
  path: string;
  /** Seen where people are on their way: its pictures are of a phone alone. */
  onTheWay?: true;
  /** What is done before the page is opened. */
  before?: (visit: Visit) => Promise<unknown>;
  /** What is done in the page until it is what the picture is of. */
  until: (tab: Tab) => Promise<unknown>;
}

const text = (what: string | RegExp) => (tab: Tab) => tab.reads("body", what);
const status = (what: string) => (tab: Tab) => tab.page.locator(`main > [data-status="${what}"]`).waitFor();

/** With its map, drawn. */
async function drawn({ page }: Tab) {
  await page.locator("[data-view] [data-job]").first().waitFor();
  // The view says where the map is; it has been painted once it has told so twice.
  let last: string | null = null;
  await eventually("a map that stands", async () => {
    const now = await page.locator("[data-view]").getAttribute("data-view");
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestIdleCallback(resolve))));
    const stands = now === last;
    last = now;
    return stands ? true : undefined;
  });
}

const both = (...all: State["until"][]) => async (tab: Tab) => {
  for (const one of all) await one(tab);
};

/** A driver's phone knows where it is. */
const located = async ({ context }: Visit) => {
  await context.grantPermissions(["geolocation", "screen-wake-lock"]);
  await context.setGeolocation({ latitude: 45.2735, longitude: 13.7142, accuracy: 8 });
};

const onDuty = (tab: Tab) => tab.page.getByRole("switch", { name: "On duty" }).click();

/** All of them. Those whose state ends something come last. */
export function states(app: App, town: Town): State[] {
  const jobs = town.jobs;
  return [
    { name: "sign-in", path: "/sign-in", until: text("Dora") },
    { name: "board", id: "dora", path: "/board", before: () => town.move(), until: drawn },
    { name: "board-job", id: "dora", path: `/board/${jobs.driven}`, before: () => town.move(), until: drawn },
    { name: "customer-jobs", id: "ann", path: "/jobs", before: () => town.move(), until: text("On the map") },
    { name: "customer-live", id: "ann", path: `/jobs/${jobs.driven}`, before: () => town.move(), until: both(status("live"), drawn) },
    { name: "customer-no-position", id: "cleo", path: `/jobs/${jobs.new}`, until: status("none") },
    { name: "customer-not-yet", id: "cleo", path: `/jobs/${jobs.gated}`, until: status("withheld") },
    { name: "customer-silent", id: "cleo", path: `/jobs/${jobs.silent}`, until: both(status("silent"), drawn) },
    { name: "customer-new-driver", id: "ben", path: `/jobs/${jobs.reassigned}`, before: () => town.reassign("driver-05"), until: both(status("live"), drawn, () => town.reassign("driver-12", false), status("reassigned")) },
    { name: "customer-ended", id: "ben", path: `/jobs/${jobs.closed}`, until: status("ended") },
    { name: "customer-not-yours", id: "deniz", path: `/jobs/${jobs.driven}`, until: status("not_yours") },
    {
      name: "customer-offline",
      onTheWay: true,
      id: "ann",
      path: `/jobs/${jobs.driven}`,
      before: () => town.move(),
      until: both(status("live"), drawn, async (tab) => {
        for (const way of [app.toAbly, app.toSite]) way.cut();
        await status("offline")(tab);
      }),
    },
    { name: "driver-off-duty", id: "driver-01", path: "/drive", before: located, until: text("off duty") },
    { name: "driver-on-duty", id: "driver-01", path: "/drive", before: located, until: both(onDuty, text("Sharing your position")) },
    { name: "driver-not-allowed", onTheWay: true, id: "driver-02", path: "/drive", until: both(onDuty, text("not shared")) },
    {
      name: "link",
      path: "/t",
      until: async (tab) => {
        await tab.page.goto("about:blank");
        await tab.page.goto(await town.link());
        await tab.page.getByRole("button").first().waitFor();
      },
    },
  ];
}
