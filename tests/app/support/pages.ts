// The pages of the app, each with somebody who sees it.

import type { Journey } from "../../client/browser/support/platform.ts";
import type { App } from "./app.ts";

export interface AppPage {
  name: string;
  /** Who sees it, of `session/people.json`; nobody where one need not be signed in. */
  id?: string;
  path: string;
  /** What it says by the HTML alone, without any script. */
  says: string | RegExp;
  /** Whether it has a map, which shows vehicles. */
  map?: boolean;
}

/** Two jobs under way, and the pages of people who take part: Ann has both, Ben one. */
export async function somePages(app: App): Promise<{ jobs: Journey[]; pages: AppPage[] }> {
  const jobs = [
    await app.job({ driver: "driver-01", customers: ["ann", "ben"], from: 47.47 }),
    await app.job({ driver: "driver-02", customers: ["ann"], from: 47.48 }),
  ];
  for (const journey of jobs) await journey.drive(3);
  const [job = ""] = jobs.map(({ job }) => job);
  const pages: AppPage[] = [
    { name: "the page to sign in", path: "/sign-in", says: "Dora" },
    { name: "a customer's jobs", id: "ann", path: "/jobs", says: "On the map" },
    { name: "a customer's job", id: "ben", path: `/jobs/${job}`, says: "Live", map: true },
    { name: "the board", id: "dora", path: "/board", says: job, map: true },
    { name: "a dispatcher's job", id: "dora", path: `/board/${job}`, says: job, map: true },
    { name: "a driver's page", id: "driver-01", path: "/drive", says: job },
    { name: "the page of a link", path: "/t", says: /script/i },
    { name: "a page that is not there", id: "ben", path: "/nowhere", says: /not|nothing/i },
  ];
  return { jobs, pages };
}
