// A driver's phone: where it is, the test says.

import type { TestContext } from "node:test";
import type { CDPSession, Page } from "playwright-core";
import type { Journey } from "../../client/browser/support/platform.ts";
import { eventually } from "../../e2e/support/wait.ts";
import type { App } from "./app.ts";
import type { Tab, Visit } from "./visit.ts";

/** Before any script of the page: notes what is under way on the device. */
export const ON_DEVICE = () => {
  const { geolocation, wakeLock } = navigator;
  // Before it is a page of the app.
  if (wakeLock === undefined) return;
  const device = { watches: new Set<number>(), locks: 0 };
  const [watch, clear, lock] = [geolocation.watchPosition.bind(geolocation), geolocation.clearWatch.bind(geolocation), wakeLock.request.bind(wakeLock)];
  geolocation.watchPosition = (...all) => {
    const id = watch(...all);
    device.watches.add(id);
    return id;
  };
  geolocation.clearWatch = (id) => {
    device.watches.delete(id);
    clear(id);
  };
  wakeLock.request = async (...all) => {
    const sentinel = await lock(...all);
    device.locks += 1;
    sentinel.addEventListener("release", () => void (device.locks -= 1));
    return sentinel;
  };
  Object.assign(window, { device });
};

declare const device: { watches: Set<number>; locks: number };

/** What is under way on the device of a page that began with `ON_DEVICE`. */
export function onDevice(page: Page): Promise<{ watches: number; locks: number }> {
  return page.evaluate(() => ({ watches: device.watches.size, locks: device.locks }));
}

/** What a receiver says. */
interface Received {
  latitude: number;
  longitude?: number;
  accuracy?: number;
  /** Metres a second, and degrees. */
  speed?: number;
  heading?: number;
}

export class Phone {
  readonly visit: Visit;
  readonly #app: App;

  private constructor(visit: Visit, app: App) {
    this.visit = visit;
    this.#app = app;
  }

  /** One whose owner allows the page everything, unless they do not. */
  static async of(t: TestContext, app: App, permissions = ["geolocation", "screen-wake-lock"]): Promise<Phone> {
    const visit = await app.visit(t, { permissions, viewport: { width: 390, height: 844 } });
    // Of a job that they have no more the page asks why.
    visit.announce(/status of 403 .*\/api\/jobs\/[^/?]+\)$/);
    await visit.context.addInitScript(ON_DEVICE);
    const phone = new Phone(visit, app);
    t.after(() => phone.open());
    return phone;
  }

  /** There is no network from now on. */
  cut() {
    for (const way of [this.#app.toSite, this.#app.toAbly]) way.cut();
  }

  open() {
    for (const way of [this.#app.toSite, this.#app.toAbly]) way.open();
  }

  /** Opens the driver's page, as somebody who signs in before, and goes on duty. */
  async drive(id: string): Promise<Driving> {
    await this.visit.signIn(id);
    const driving = new Driving(await this.visit.open("/drive"));
    await driving.turn();
    return driving;
  }
}

/** What the page says while it is on duty for a job. */
export const drivesFor = (job: string) => new RegExp(`position[^.]* for ${job}`);

/** A driver's page, and its receiver. */
export class Driving {
  readonly tab: Tab;
  #receiver: Promise<CDPSession> | undefined;

  constructor(tab: Tab) {
    this.tab = tab;
  }

  /** On duty, or off. */
  turn() {
    return this.tab.page.getByRole("switch").click();
  }

  sees(what: string | RegExp, bound?: number) {
    return this.tab.sees(what, bound);
  }

  /** On duty for a job, whether or not there is a position yet. */
  isFor(job: string) {
    return this.sees(drivesFor(job));
  }

  /** The phone is there from now on; also when a page begins to ask where it is. */
  async receive({ latitude, longitude = 16, accuracy = 5, ...more }: Received) {
    const { page } = this.tab;
    this.#receiver ??= page.context().newCDPSession(page);
    await (await this.#receiver).send("Emulation.setGeolocationOverride", { latitude, longitude, accuracy, ...more });
  }

  /** To so many places of a journey, one after the other: at each it is waited until that was taken. */
  async move(journey: Journey, count: number, taken: () => Promise<unknown>) {
    for (let n = 0; n < count; n += 1) {
      journey.posted += 1;
      await this.receive({ latitude: journey.at(journey.posted) });
      await taken();
    }
  }

  /** With a network: each comes into the trail. */
  async moveOnline(journey: Journey, count: number) {
    let there = (await journey.trail()).length;
    await this.move(journey, count, () => inTrail(journey, ++there));
  }

  /** Without: each waits. `waiting`: as many as do before. */
  async moveOffline(journey: Journey, count: number, waiting = 0) {
    await this.move(journey, count, () => this.waits(++waiting));
  }

  /** Until so many positions wait to be sent. */
  waits(count: number) {
    return this.sees(new RegExp(`\\b${count} positions? waits?,`));
  }

  device() {
    return onDevice(this.tab.page);
  }
}

export function inTrail(journey: Journey, count: number) {
  return eventually(`${count} fixes in the trail`, async () => ((await journey.trail()).length >= count ? true : undefined)).catch(async (error: Error) => {
    throw new Error(`${error.message}, where there are ${(await journey.trail()).length}`);
  });
}
