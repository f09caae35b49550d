// A driver's phone: where it is, the test says.

import type { TestContext } from "node:test";
import { eventually } from "../../../e2e/support/wait.ts";
import type { Journey } from "./platform.ts";
import type { Site } from "./site.ts";
import { Phone, type Tab } from "./visit.ts";

/** Before any script of the page: a receiver that gives what the test says, by the page's own clock. */
export const RECEIVER = () => {
  const watches = new Map<number, PositionCallback>();
  let last = 0;
  const receiver = {
    watchPosition: (got: PositionCallback) => (watches.set(++last, got), last),
    clearWatch: (id: number) => void watches.delete(id),
  };
  Object.defineProperty(navigator, "geolocation", { get: () => receiver });
  Object.assign(window, {
    receive(latitude: number) {
      const coords = { latitude, longitude: 16, accuracy: 5, altitude: null, altitudeAccuracy: null, heading: Number.NaN, speed: null };
      for (const got of [...watches.values()]) got({ coords, timestamp: Date.now() } as unknown as GeolocationPosition);
      return watches.size;
    },
  });
};

declare const receive: (latitude: number) => number;

/** What a driver's page says of its queue. */
export interface Queue {
  job?: string;
  waiting: number;
  sending: string;
  durable: boolean;
  ended?: string;
  rejected: Record<string, number>;
}

/** A phone, with the driver's page in it. */
export class DriversPhone {
  readonly phone: Phone;
  /** The latitudes that it has received, by the driver who had it then. */
  readonly received: { driver: string; lat: number }[] = [];

  private constructor(phone: Phone) {
    this.phone = phone;
  }

  static async of(t: TestContext, site: Site): Promise<DriversPhone> {
    const phone = await Phone.of(t, site);
    await phone.context.addInitScript(RECEIVER);
    return new DriversPhone(phone);
  }

  async signIn({ driver, job }: Journey) {
    await this.phone.signIn({ role: "driver", sub: driver, jobs: [job] });
  }

  /** So many positions, each further on than one has to move to be heard of, from the journey's next place on. */
  async move(tab: Tab, journey: Journey, count: number, between: () => Promise<unknown> = async () => {}) {
    for (let n = 0; n < count; n += 1) {
      journey.posted += 1;
      const lat = journey.at(journey.posted);
      await between();
      // A watch that is armed anew gives nothing for a moment.
      await eventually("a watch", async () => ((await tab.page.evaluate((lat) => receive(lat), lat)) > 0 ? true : undefined));
      this.received.push({ driver: journey.driver, lat });
    }
  }

  /** What was received by a driver, in order. */
  of(driver: string): number[] {
    return this.received.filter((one) => one.driver === driver).map(({ lat }) => lat);
  }

  async queue(tab: Tab): Promise<Queue> {
    return JSON.parse((await tab.page.locator("#driver").textContent()) ?? "{}") as Queue;
  }

  /** Waits until the page's queue is as wanted. */
  until(tab: Tab, what: string, is: (queue: Queue) => boolean, meanwhile: () => Promise<unknown> = async () => {}) {
    let last: Queue | undefined;
    return eventually(what, async () => {
      await meanwhile();
      last = await this.queue(tab);
      return is(last) ? last : undefined;
    }).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(last)}`);
    });
  }

  /** Waits until all that a journey's driver has received is in its trail, and the page knows so. */
  async left(tab: Tab, journey: Journey, meanwhile?: () => Promise<unknown>) {
    const wanted = this.of(journey.driver).length;
    await eventually("all of it to be in the trail", async () => {
      await meanwhile?.();
      return (await journey.trail()).length >= wanted ? true : undefined;
    }).catch(async (error) => {
      throw new Error(`${error.message}, where ${(await journey.trail()).length} of ${wanted} are; the page says ${JSON.stringify(await this.queue(tab))}`);
    });
    return this.until(tab, "nothing to wait", ({ waiting }) => waiting === 0, meanwhile);
  }

  /** What IndexedDB holds, whosever it is. */
  stored(tab: Tab): Promise<{ user: string; job: string; lat: number }[]> {
    return tab.page.evaluate(async () => {
      const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }));
      const all: { user: string; job: string; lat: number }[] = [];
      for (const { name = "" } of await indexedDB.databases()) {
        const database = await done(indexedDB.open(name));
        for (const store of database.objectStoreNames) {
          const entries = (await done(database.transaction(store).objectStore(store).getAll())) as { user: string; job: string; fix: { lat: number } }[];
          all.push(...entries.map(({ user, job, fix }) => ({ user, job, lat: fix.lat })));
        }
        database.close();
      }
      return all;
    });
  }
}
