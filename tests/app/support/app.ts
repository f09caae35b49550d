// The app of `examples/nextjs` as people have it: the service, an Ably, Next.js with the app that was built, and a browser.

import { randomInt } from "node:crypto";
import { after, type TestContext } from "node:test";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { startApp } from "../../../scripts/dev/app.mjs";
import { Parts } from "../../../scripts/dev/parts.mjs";
import { freePort } from "../../../scripts/dev/ports.mjs";
import { buildApp } from "../../../scripts/setup/app.mjs";
import { Journey } from "../../client/browser/support/platform.ts";
import { LocalAbly } from "../../e2e/support/ably.ts";
import { Relay } from "../../e2e/support/relay.ts";
import { World } from "../../e2e/support/world.ts";
import { launchKeeper } from "../../local-ably/browser.ts";
import { startService } from "./service.ts";
import { Visit } from "./visit.ts";

/** By its name: Next.js listens there, and at 127.0.0.1 a page would have other cookies. */
const HOST = "localhost";

/** No GPU is there, and a map needs WebGL2. */
export const SOFTWARE_GPU = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"];
/** For a browser that draws no map. */
export const NO_GPU = ["--disable-3d-apis"];

/** How an app is started that is not as most tests want it. */
export interface Wishes {
  /** Settings of the service. */
  settings?: Record<string, string>;
  /** Further arguments of the browser. */
  browser?: string[];
}

/** A job, by who takes part: ids of `session/people.json`. */
type Taking = NonNullable<Parameters<typeof Journey.begin>[1]>;

export class App {
  readonly world: World;
  readonly ably: LocalAbly;
  readonly browser: Browser;
  /** The browser's way to Ably. */
  readonly toAbly: Relay;
  /** The browser's way to the app, and so to the service. */
  readonly toSite: Relay;
  /** The app's way to the service. */
  readonly toTowline: Relay;

  private constructor(parts: Pick<App, "world" | "ably" | "browser" | "toAbly" | "toSite" | "toTowline">) {
    this.world = parts.world;
    this.ably = parts.ably;
    this.browser = parts.browser;
    this.toAbly = parts.toAbly;
    this.toSite = parts.toSite;
    this.toTowline = parts.toTowline;
  }

  /** Starts what the tests of a file share, and stops it when they have ended. */
  static async start({ settings = {}, browser: more = [] }: Wishes = {}): Promise<App> {
    await buildApp();
    const parts = new Parts();
    const stops: (() => unknown)[] = [() => parts.stop()];
    // Whoever still reads goes before the service, which waits for them.
    const stop = async () => {
      for (const one of stops.reverse()) await one();
    };
    after(stop);
    const ably = await LocalAbly.start();
    // Below those that the system gives to whoever asks for any.
    const port = await freePort(randomInt(20_000, 32_000), HOST);
    const [toAbly, toSite] = await Promise.all([Relay.to(ably.port), Relay.to(port, HOST)]);
    stops.push(() => [toAbly, toSite].forEach((relay) => relay.stop()));
    const own = { SESSION_COOKIE: "session", JOB_REGISTRY: "required", CORS_ORIGINS: siteOf(toSite), ...settings };
    const world = await World.forThisFile(own, async () => ably, startService);
    const address = { endpoint: "127.0.0.1", port: toAbly.port, tls: false };
    const toTowline = await Relay.to(Number(new URL(world.url).port));
    stops.push(() => toTowline.stop());
    await startApp(parts, { port, towline: toTowline.url, sessionSecret: world.secret, ably: address });
    const browser = await launchKeeper(...SOFTWARE_GPU, ...more);
    stops.push(() => browser.close());
    return new App({ world, ably, browser, toAbly, toSite, toTowline });
  }

  get url() {
    return siteOf(this.toSite);
  }

  /** Somebody at a browser profile of their own. The test fails by what goes wrong in it, see `Visit`. */
  visit(t: TestContext, options: BrowserContextOptions = {}, browser = this.browser): Promise<Visit> {
    return Visit.of(t, this, browser, options);
  }

  /** Registers a job. */
  job(taking: Taking): Promise<Journey> {
    return Journey.begin(this.world, taking);
  }
}

function siteOf({ port }: Relay) {
  return `http://${HOST}:${port}`;
}
