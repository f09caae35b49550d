// What must hold of everything that a page has shown.

import assert from "node:assert/strict";
import { eventually } from "../../../e2e/support/wait.ts";
import type { Shown } from "../pages/watching.tsx";
import type { Site } from "./site.ts";

/** That a marker never went back, nor a trail: of what was shown of one job, in order. */
export function assertOnward(all: Shown[]) {
  let last: Shown | undefined;
  for (const shown of all) {
    const { epoch, lat, capturedAt, trail, status } = shown;
    assert.deepEqual(trail, [...new Set(trail)].sort((a, b) => a - b), "a trail has each fix once and in order");
    if (["ended", "withheld", "reassigned", "not_yours", "none"].includes(status)) assert.deepEqual([lat, trail], [undefined, []], `nothing is shown where the status is ${status}`);
    if (lat === undefined || epoch === undefined || capturedAt === undefined) continue;
    if (last?.epoch !== undefined && last.lat !== undefined && last.capturedAt !== undefined) {
      assert.ok(epoch >= last.epoch, "an epoch does not come back");
      assert.ok(epoch > last.epoch || (lat >= last.lat && capturedAt >= last.capturedAt), `the marker was at ${last.lat}, and then at ${lat}`);
    }
    last = shown;
  }
}

/** Longer than it takes until somebody holds what they hold from then on. */
const SETTLED_MS = 20_000;

/** Waits until somebody holds just these connections, each with these channels. */
export function holds(site: Site, user: string, ...connections: string[][]) {
  return holdsWithin(SETTLED_MS, site, user, ...connections);
}

/** The same, with a bound of its own. */
export function holdsWithin(bound: number, site: Site, user: string, ...connections: string[][]) {
  let last: string[][] = [];
  const wanted = JSON.stringify(connections.map((channels) => [...channels].sort()).sort());
  const ask = async () => {
    last = (await site.ably.connections(user)).map(({ channels }) => channels);
    return JSON.stringify([...last].sort()) === wanted ? true : undefined;
  };
  return eventually(`${user} to hold ${wanted}`, ask, bound).catch((error) => {
    throw new Error(`${error.message}, who holds ${JSON.stringify(last)}`);
  });
}

/** Waits until somebody streams just these jobs. */
export function streams(site: Site, user: string, ...jobs: string[]) {
  const open = () => [...site.streams].filter(({ session }) => session === user).map(({ path }) => path.split("/")[3] ?? "");
  const ask = () => (JSON.stringify(open().sort()) === JSON.stringify([...jobs].sort()) ? true : undefined);
  return eventually(`${user} to stream ${jobs}`, ask, SETTLED_MS).catch((error) => {
    throw new Error(`${error.message}, who streams ${open()}`);
  });
}
