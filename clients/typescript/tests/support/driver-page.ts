// A driver's page in a played world, and what is done with it.

import { createDriver } from "../../src/driver/index.ts";
import { memoryStorage } from "../../src/driver/storage.ts";
import type { DriverOptions } from "../../src/driver/types.ts";
import { Browser, ModelService, type Mood, PlayedTime, playedCore, position, randomOf, Tab } from "./driver-world.ts";

/** A page of one driver. */
export function page({ user = "ann", known = true, options = {} as DriverOptions, time = new PlayedTime(), browser = new Browser(), storage = memoryStorage(), service = new ModelService(time) } = {}) {
  const tab = new Tab(browser, time);
  const played = playedCore(tab, service, user, known);
  const random = randomOf(1);
  let ids = 0;
  const driver = createDriver(played.core, {
    storage: tab.storage(storage, () => 2),
    geolocation: null,
    permissions: null,
    locks: tab.locks,
    channel: tab.channel,
    persist: null,
    random,
    newId: () => `${user}-${names.made++}-${++ids}`,
    ...options,
  });
  let travelled = 0;
  const take = (coords: Partial<GeolocationCoordinates> = {}) => driver.take(position((travelled += 12), time.now + time.offset, coords));
  /** Drives so many steps of a second and twelve metres. */
  const drive = async (steps: number) => {
    for (let step = 0; step < steps; step += 1) {
      take();
      await time.pass(1_000);
    }
  };
  const count = (job = "job-1") => service.trail.get(job)?.length ?? 0;
  const state = () => driver.state.get();
  return { played, tab, time, service, driver, drive, take, browser, storage, count, state };
}

/** How many names of fixes were made, by all pages: each has the next one. */
export const names = { made: 0 };

/** What the service does from now on, for all or for one job. */
export function moody(service: ModelService, mood: Mood, only?: string) {
  const before = service.mood;
  service.mood = (user, job) => (only === undefined || job === only ? mood : before(user, job));
}
