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

const tap = (name: string) => (tab: Tab) => tab.page.getByRole("button", { name }).first().click();

/** The network goes, once the page is there. */
const cut = (app: App) => async () => {
  for (const way of [app.toAbly, app.toSite]) way.cut();
};

/** What comes after the `#` is opened as from a message. */
const opens = (link: () => Promise<string>, ...then: State["until"][]) => async (tab: Tab) => {
  await tab.page.goto("about:blank");
  await tab.page.goto(await link());
  await tab.page.getByRole("button").first().waitFor();
  await both(...then)(tab);
};

/** All of them. What changes the town for good comes last. */
export function states(app: App, town: Town): State[] {
  return [
    { name: "sign-in", path: "/sign-in", until: text("Dora") },
    ...ofDispatchers(town),
    ...ofCustomers(app, town),
    ...ofDrivers(app),
    ...ofLinks(town),
    { name: "not-found", path: "/nowhere", until: text("There is nothing here") },
    // Its list has more jobs than are watched.
    { name: "board-many", id: "dora", path: "/board", before: crowd(town), until: drawn },
  ];
}

function crowd(town: Town) {
  let there: Promise<unknown> | undefined;
  return async () => {
    await (there ??= town.crowd(210));
    await town.move();
  };
}

function ofDispatchers(town: Town): State[] {
  const { jobs } = town;
  return [
    { name: "board", id: "dora", path: "/board", before: () => town.move(), until: drawn },
    { name: "board-job", id: "dora", path: `/board/${jobs.driven}`, before: () => town.move(), until: drawn },
    { name: "board-job-closed", id: "dora", path: `/board/${jobs.done}`, until: both(text("Closed"), drawn) },
    {
      name: "board-job-closing",
      id: "dora",
      path: `/board/${jobs.driven}`,
      until: both((tab) => tab.page.getByLabel("Done").check(), tap("Close the job"), (tab) => tab.page.getByRole("button", { name: "Undo" }).scrollIntoViewIfNeeded()),
    },
    {
      name: "board-job-changed-by-two",
      id: "dora",
      path: `/board/${jobs.new}`,
      until: both(
        (tab) => tab.page.getByLabel("Latitude").fill("45.28"),
        () => town.change(jobs.new),
        tap("Change"),
        (tab) => tab.page.getByRole("heading", { name: "Somebody else has changed this job" }).scrollIntoViewIfNeeded(),
      ),
    },
  ];
}

function ofCustomers(app: App, town: Town): State[] {
  const { jobs } = town;
  return [
    { name: "customer-jobs", id: "ann", path: "/jobs", before: () => town.move(), until: text("On the map") },
    { name: "customer-live", id: "ann", path: `/jobs/${jobs.driven}`, before: () => town.move(), until: both(status("live"), drawn) },
    { name: "customer-parked", id: "deniz", path: `/jobs/${jobs.parked}`, before: () => town.stand(), until: both(text("The vehicle is parked"), drawn) },
    { name: "customer-arrived", id: "deniz", path: `/jobs/${jobs.arrived}`, before: () => town.stand(), until: both(text("The vehicle has arrived"), drawn) },
    { name: "customer-out-of-date", id: "ben", path: `/jobs/${jobs.stale}`, before: () => town.move(), until: both(status("stale"), drawn) },
    { name: "customer-silent", id: "cleo", path: `/jobs/${jobs.silent}`, until: both(status("silent"), drawn) },
    { name: "customer-no-position", id: "cleo", path: `/jobs/${jobs.new}`, before: () => town.move(), until: status("none") },
    { name: "customer-not-yet", id: "cleo", path: `/jobs/${jobs.gated}`, until: status("withheld") },
    { name: "customer-not-near", id: "cleo", path: `/jobs/${jobs.near}`, until: status("withheld") },
    { name: "customer-new-driver", id: "ben", path: `/jobs/${jobs.reassigned}`, before: () => town.reassign("driver-05"), until: both(status("live"), drawn, () => town.reassign("driver-12", false), status("reassigned")) },
    { name: "customer-done", id: "ben", path: `/jobs/${jobs.done}`, until: text("The job is done") },
    { name: "customer-cancelled", id: "ben", path: `/jobs/${jobs.cancelled}`, until: text("The job was cancelled") },
    { name: "customer-failed", id: "ben", path: `/jobs/${jobs.failed}`, until: text("The job could not be done") },
    { name: "customer-expired", id: "ben", path: `/jobs/${jobs.expired}`, until: text("The time for this job is over") },
    { name: "customer-not-yours", id: "deniz", path: `/jobs/${jobs.driven}`, until: status("not_yours") },
    { name: "customer-offline", onTheWay: true, id: "ann", path: `/jobs/${jobs.driven}`, before: () => town.move(), until: both(status("live"), drawn, cut(app), status("offline")) },
  ];
}

function ofDrivers(app: App): State[] {
  const roughly = async ({ context }: Visit) => {
    await context.grantPermissions(["geolocation"]);
    await context.setGeolocation({ latitude: 45.2735, longitude: 13.7142, accuracy: 3_000 });
  };
  const driving = both(onDuty, text("Sharing your position"));
  return [
    { name: "driver-off-duty", id: "driver-01", path: "/drive", before: located, until: text("off duty") },
    { name: "driver-on-duty", id: "driver-01", path: "/drive", before: located, until: driving },
    { name: "driver-no-job", onTheWay: true, id: "driver-11", path: "/drive", before: located, until: both(onDuty, text("with no job")) },
    { name: "driver-not-allowed", onTheWay: true, id: "driver-02", path: "/drive", until: both(onDuty, text("not shared")) },
    { name: "driver-approximate", onTheWay: true, id: "driver-02", path: "/drive", before: roughly, until: both(onDuty, text("Approximate position only")) },
    { name: "driver-no-position", onTheWay: true, id: "driver-02", path: "/drive", before: ({ context }) => context.grantPermissions(["geolocation", "screen-wake-lock"]), until: both(onDuty, text("No position yet")) },
    {
      name: "driver-offline",
      onTheWay: true,
      id: "driver-01",
      path: "/drive",
      before: located,
      until: both(driving, text("Nothing waits to be sent"), cut(app), ({ visit }) => visit.context.setGeolocation({ latitude: 45.2741, longitude: 13.7142, accuracy: 8 }), text(/positions? waits?/)),
    },
  ];
}

function ofLinks(town: Town): State[] {
  const shown = tap("Show it");
  return [
    { name: "link", path: "/t", until: opens(() => town.link()) },
    { name: "link-opened", path: "/t", before: () => town.move(), until: opens(() => town.link(), shown, () => town.move(), status("live"), drawn) },
    { name: "link-signed-in", id: "ben", path: "/t", until: opens(() => town.link(), shown, text("You are signed in as Ben")) },
    { name: "link-not-whole", path: "/t", until: opens(async () => `${await town.link()}x`, shown, text("This link is not whole")) },
    { name: "link-revoked", path: "/t", until: opens(() => town.revokedLink(), shown, text("does not work any more")) },
    { name: "link-over", path: "/t", until: opens(() => town.endedLink(), shown, text("This job is over")) },
  ];
}
