// The map of a page: what it follows, what it costs, and what becomes of it where there is no graphics card.

import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { BOUND_MS, eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { metresAPixel } from "./support/chart.ts";
import { loadModules } from "./support/modules.ts";
import { commonestColour } from "./support/picture.ts";
import { Tow } from "./support/tow.ts";

const app = await App.start();

/** Before any script of the page: counts what the graphics card draws, and keeps what it draws with. */
const CARD = () => {
  const cards: WebGL2RenderingContext[] = [];
  Object.assign(window, { cards, drawn: 0 });
  const { prototype } = HTMLCanvasElement;
  const get = prototype.getContext as (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) => RenderingContext | null;
  prototype.getContext = function (this: HTMLCanvasElement, kind: string, ...rest: unknown[]) {
    const card = get.call(this, kind, ...rest);
    if (card instanceof WebGL2RenderingContext && !cards.includes(card)) cards.push(card);
    return card;
  } as typeof prototype.getContext;
  const { drawElements } = WebGL2RenderingContext.prototype;
  WebGL2RenderingContext.prototype.drawElements = function (...args) {
    drawn++;
    drawElements.apply(this, args);
  };
};

declare const cards: WebGL2RenderingContext[];
declare let drawn: number;

interface Wishes extends BrowserContextOptions {
  /** Runs before any script of the page. */
  before?: () => void;
  /** What is done with the page before it goes anywhere. */
  begin?: (page: Page) => Promise<unknown>;
}

/** A customer who looks at a job with a vehicle. */
async function look(t: TestContext, { before = CARD, begin, ...options }: Wishes = {}) {
  const tow = await Tow.begin(app.world);
  await tow.at(20, 16, { accuracy: 100, heading: 90 });
  // Small, as a processor draws it.
  const visit = await app.visit(t, { viewport: { width: 500, height: 600 }, ...options });
  visit.context.setDefaultTimeout(BOUND_MS);
  await visit.signIn("ann");
  const page = await visit.context.newPage();
  await page.addInitScript(before);
  await begin?.(page);
  const tab = await visit.show(page, `/jobs/${tow.job}`);
  const marker = page.locator(`[role="img"][data-job="${tow.job}"]`);
  return { tow, visit, tab, page, marker };
}

const view = async (page: Page) => (await page.locator("[data-view]").getAttribute("data-view"))!.split(",").map(Number) as [number, number, number];

/** Whether a marker is well within the map, and not near an edge. */
const isInView = (page: Page, job: string) =>
  page.evaluate((job) => {
    const [on, at] = ["[data-view]", `[role="img"][data-job="${job}"]`].map((one) => document.querySelector(one)!.getBoundingClientRect()) as [DOMRect, DOMRect];
    const [x, y] = [(at.x + at.width / 2 - on.x) / on.width, (at.y + at.height / 2 - on.y) / on.height];
    return [x, y].every((part) => part > 0.1 && part < 0.9) ? true : undefined;
  }, job);

const middle = async (one: Locator) => {
  const { x, y, width, height } = (await one.boundingBox())!;
  return [x + width / 2, y + height / 2] as const;
};

/** How bright the map's ground is, 0 black … 255 white. */
const brightness = async (page: Page) => (await commonestColour(page.locator("[data-view]"))).green;

test("a trail goes on across 180°, and not back round the world", async () => {
  const { onFrom } = await loadModules<{ onFrom(from: number, lng: number): number }>('export { onFrom } from "./map/spot";');
  const lngs = [[179.9, -179.9], [-179.9, 179.9], [16, 17], [-100, 75], [541, -179]] as const;
  assert.deepEqual(lngs.map(([from, lng]) => onFrom(from, lng).toFixed(1)), ["180.1", "-180.1", "17.0", "75.0", "541.0"]);
});

describe("a map", () => {
  test("is loaded after the page", async (t) => {
    // A page that takes long to load: until it can be used.
    const { tow, tab, page, marker } = await look(t, {
      before: () => addEventListener("DOMContentLoaded", () => document.body.append(Object.assign(new Image(), { src: "/slow.png" }))),
      begin: (page) =>
        page.route("/slow.png", async (route) => {
          await page.getByRole("button", { name: "Use my position" }).waitFor();
          await page.getByText("The map is loading …").waitFor();
          await route.fulfill({ contentType: "image/svg+xml", body: '<svg xmlns="http://www.w3.org/2000/svg"/>' });
        }),
    });
    await marker.waitFor();
    await tow.at(20.001, 16, { speed: 9 });
    await tab.sees("The vehicle is moving");
    const [map, loaded, painted] = await page.evaluate(async () => {
      const scripts = performance.getEntriesByType("resource").filter(({ name }) => /\.m?js/.test(name));
      const texts = await Promise.all(scripts.map(async ({ name }) => (await fetch(name)).text()));
      const begun = scripts.filter((_, n) => /maplibre/i.test(texts[n]!)).map(({ startTime }) => startTime);
      const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
      return [Math.min(...begun), navigation!.loadEventEnd, performance.getEntriesByName("first-contentful-paint")[0]!.startTime] as const;
    });
    assert.ok(Number.isFinite(map) && map >= loaded && map >= painted, `the map from ${map} ms on, loaded at ${loaded}, painted at ${painted}`);
  });

  test("shows a vehicle near and in the middle first, and how accurate its position is", async (t) => {
    const { tow, page, marker } = await look(t);
    await marker.waitFor();
    const [lng, lat, zoom] = await view(page);
    assert.deepEqual([lng.toFixed(5), lat.toFixed(5), zoom], ["16.00000", "20.00000", 15]);
    const halo = marker.locator("span").first();
    const width = async () => (await halo.boundingBox())?.width;
    assert.ok(Math.abs((await width())! - 200 / metresAPixel([lng, lat, zoom])) < 3, `${await width()} px`);
    await tow.at(20, 16, { accuracy: 300 });
    await eventually("a halo that is larger than the map", async () => ((await width())! > 550 / metresAPixel([lng, lat, zoom]) ? true : undefined));
    const [x, y] = await middle(page.locator("[data-view]"));
    for (const part of [halo, marker.locator("span").nth(1)]) {
      const at = await middle(part);
      assert.ok(Math.hypot(at[0] - x, at[1] - y) < 1.5, `${at} is not at ${[x, y]}`);
    }
    await tow.at(20.0001, 16, { accuracy: 15 });
    await halo.waitFor({ state: "hidden" });
  });

  test("is moved by two fingers, and one scrolls the page", async (t) => {
    const { page, marker } = await look(t, { viewport: { width: 390, height: 600 }, hasTouch: true, isMobile: true });
    await marker.waitFor();
    await page.locator(".maplibregl-canvas").scrollIntoViewIfNeeded();
    const before = await view(page);
    const scrolled = await page.evaluate(() => scrollY);
    const cdp = await page.context().newCDPSession(page);
    /** Fingers that stand so far beside the map's middle go up. */
    const swipe = async (...beside: number[]) => {
      const [x, y] = await middle(page.locator("[data-view]"));
      const fingers = (up: number) => beside.map((off, id) => ({ x: x + off, y: y - up, id }));
      await cdp.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: fingers(0) });
      for (let up = 10; up <= 120; up += 10) await cdp.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: fingers(up) });
      await cdp.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    };
    await swipe(0);
    await eventually("the page to be scrolled", () => page.evaluate((from) => (scrollY >= from + 50 ? true : undefined), scrolled));
    assert.deepEqual(await view(page), before);
    const follow = page.getByRole("button", { name: "Follow" });
    assert.equal(await follow.count(), 0, "it still follows");
    assert.equal(await page.locator(".maplibregl-cooperative-gesture-screen").innerText(), "Two fingers move the map.");
    await swipe(-30, 30);
    await follow.waitFor();
    assert.ok((await view(page))[1] < before[1], "it is moved");
  });

  test("is zoomed by the wheel of a mouse, without a key", async (t) => {
    const { page, marker } = await look(t);
    await marker.waitFor();
    const [, , zoom] = await view(page);
    await page.mouse.move(...(await middle(page.locator("[data-view]"))));
    await page.mouse.wheel(0, 300);
    await eventually("the map to be farther", async () => ((await view(page))[2] < zoom - 0.1 ? true : undefined));
  });

  test("says that there is nothing on it, as long as there is not", async (t) => {
    const tow = await Tow.begin(app.world);
    const visit = await app.visit(t);
    await visit.signIn("dora");
    const tab = await visit.open(`/board/${tow.job}`);
    await tab.sees("The map is empty.");
    await tow.at(20, 16);
    await tab.page.locator(`[role="img"][data-job="${tow.job}"]`).waitFor();
    assert.doesNotMatch(await tab.page.locator("main").innerText(), /The map is empty/);
  });

  test("follows the vehicle until somebody moves the map, and again when they ask for it", async (t) => {
    const { tow, page, marker } = await look(t);
    await marker.waitFor();
    const button = page.getByRole("button", { name: "Follow" });
    assert.equal(await button.count(), 0);
    const inView = () => isInView(page, tow.job);
    const follows = () => eventually("the vehicle to be in view", inView);
    for (let n = 1; n <= 4; n += 1) {
      await tow.at(20 + n * 0.004, 16);
      await eventually("the marker to be there", async () => ((await view(page))[1] > 20 + (n - 2) * 0.004 ? true : undefined));
      await follows();
    }
    assert.ok((await view(page))[1] > 20.01, "it has gone with it");
    const { x, y, width, height } = (await page.locator("[data-view]").boundingBox())!;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width / 2 - 90, y + height / 2 - 60, { steps: 5 });
    await page.mouse.up();
    await button.waitFor();
    const box = (await button.boundingBox())!;
    assert.ok(box.height >= 44 && box.width >= 44);
    await tow.at(20.03, 16);
    await eventually("the marker to be out of view", async () => ((await inView()) ? undefined : true));
    await button.click();
    await follows();
    await button.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Zoom in" }).click();
    await button.waitFor();
  });

  test("makes the graphics card draw nothing while a marker moves", async (t) => {
    const { tow, tab, page, marker } = await look(t);
    await marker.waitFor();
    const rests = () =>
      eventually("the map to rest", () =>
        page.evaluate(async () => {
          const before = drawn;
          for (let n = 0; n < 20; n += 1) await new Promise(requestAnimationFrame);
          return drawn === before ? true : undefined;
        }),
      );
    await rests();
    // One glides only from where it has been a moment ago.
    await tow.at(20.0002, 16);
    await tab.sees("just now");
    const watching = page.evaluate(async (job) => {
      const marker = document.querySelector<HTMLElement>(`[role="img"][data-job="${job}"]`)!;
      let [moved, more] = [0, 0];
      let last = { at: marker.style.transform, drawn };
      for (const end = performance.now() + 4_000; performance.now() < end; ) {
        await new Promise(requestAnimationFrame);
        const now = { at: marker.style.transform, drawn };
        if (now.at !== last.at) moved += 1;
        if (now.drawn !== last.drawn) more += 1;
        last = now;
      }
      return { moved, more };
    }, tow.job);
    await tow.at(20.0006, 16);
    const { moved, more } = await watching;
    t.diagnostic(`the marker moved in ${moved} frames, the graphics card drew in ${more}`);
    assert.ok(moved >= 5, `${moved} frames with another place`);
    assert.ok(more <= moved / 2, `${more} frames were drawn`);
    await rests();
  });

  test("is drawn anew in the dark, and keeps the trail", async (t) => {
    const { page, marker } = await look(t, { colorScheme: "light" });
    await marker.waitFor();
    await eventually("a light map", async () => ((await brightness(page)) > 200 ? true : undefined));
    await page.emulateMedia({ colorScheme: "dark" });
    await eventually("a dark map", async () => ((await brightness(page)) < 60 ? true : undefined));
  });

  test("keeps its colours where the user's own are forced on the page", async (t) => {
    const { page, marker } = await look(t, { colorScheme: "light", forcedColors: "active" });
    await marker.waitFor();
    await eventually("a light map", async () => ((await brightness(page)) > 200 ? true : undefined));
    const arrow = marker.locator("span").nth(1);
    assert.equal(await arrow.evaluate((one) => getComputedStyle(one).backgroundColor), "rgb(11, 98, 98)");
  });

  test("says that the graphics card is lost, and goes on when it is back", async (t) => {
    const { tow, visit, page, tab, marker } = await look(t);
    visit.announce(/WebGL|CONTEXT_LOST/);
    await marker.waitFor();
    await eventually("a light map", async () => ((await brightness(page)) > 200 ? true : undefined));
    await page.evaluate(() => {
      const lose = cards.at(-1)!.getExtension("WEBGL_lose_context")!;
      Object.assign(window, { back: () => lose.restoreContext() });
      lose.loseContext();
    });
    await tab.sees("This device has stopped drawing the map");
    // What comes meanwhile is not lost, and breaks nothing.
    await tow.at(20.001, 16, { speed: 9 });
    await tab.sees("The vehicle is moving");
    await page.evaluate(() => (window as unknown as { back(): void }).back());
    await eventually("the map to be back", async () => ((await tab.page.locator("main").innerText()).includes("stopped drawing") ? undefined : true));
    await eventually("a light map", async () => ((await brightness(page)) > 200 ? true : undefined));
    assert.equal(await page.locator("[data-view]").getAttribute("data-points"), "2");
  });

  test("leaves nothing behind where it is not shown any more", async (t) => {
    const { tow, page, marker } = await look(t);
    await marker.waitFor();
    for (const driver of ["driver-02", "driver-03"]) {
      await tow.put({ driver });
      await marker.waitFor({ state: "detached" });
      assert.ok(await page.evaluate(() => cards.length > 0 && cards.every((card) => card.isContextLost())), "no graphics card is held");
      assert.equal(await page.locator("canvas").count(), 0);
      await tow.at(20.01, 16);
      await marker.waitFor();
    }
  });

  test("is loaded again where its files did not come", async (t) => {
    let failing = true;
    let failed = 0;
    const { visit, tab, page, marker } = await look(t, {
      begin: (page) =>
        page.route("**/_next/static/chunks/*", async (route) => {
          const response = await route.fetch();
          if (!failing || !/maplibre/i.test(await response.text())) return route.fulfill({ response });
          failed += 1;
          await route.abort();
        }),
    });
    visit.announce(/net::ERR_FAILED/);
    await tab.sees("The map cannot be loaded just now. It is tried again.");
    const before = failed;
    await eventually("another try", () => (failed > before ? true : undefined));
    assert.doesNotMatch(await page.locator("main").innerText(), /draws no map/);
    failing = false;
    await marker.waitFor();
    assert.doesNotMatch(await page.locator("main").innerText(), /just now\. It is tried/);
  });

  test("is stood in for by the text where there is no graphics card", async (t) => {
    const { tow, tab } = await look(t, {
      before: () => {
        HTMLCanvasElement.prototype.getContext = () => null;
      },
    });
    await tab.sees("This browser draws no map. What else is known of the vehicle stands in the text.");
    await tow.at(20.01, 16, { speed: 10 });
    await tab.sees(/The vehicle is moving[^]*36 km\/h/);
  });
});
