// Takes the pictures. It is a test, so that a page on which something goes wrong has no picture.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../setup/environment.mjs";
import { App } from "../../tests/app/support/app.ts";
import { BROKEN, REFUSED } from "../../tests/app/support/visit.ts";
import { states } from "./states.ts";
import { Town } from "./town.ts";

const IMAGES = join(ROOT, "docs", "images");
const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const SCHEMES = ["light", "dark"] as const;

const app = await App.start();
const town = await Town.of(app);
rmSync(IMAGES, { recursive: true, force: true });
mkdirSync(IMAGES, { recursive: true });

for (const { name, id, path, onTheWay, before, until } of states(app, town)) {
  const looks = Object.entries(onTheWay ? { phone: SCREENS.phone } : SCREENS).flatMap(([screen, viewport]) => SCHEMES.map((colorScheme) => ({ screen, viewport, colorScheme })));
  for (const { screen, viewport, colorScheme } of looks) {
    test(`${name}, ${screen}, ${colorScheme}`, async (t) => {
      t.after(() => [app.toAbly, app.toSite].forEach((way) => way.open()));
      const visit = await app.visit(t, { viewport, colorScheme, reducedMotion: "reduce" });
      visit.announce(...BROKEN, ...REFUSED, /Ably: Auth\.requestToken\(\)/, /status of 404 .*\/nowhere/);
      if (id) await visit.signIn(id);
      await before?.(visit);
      const tab = await visit.open(path);
      await until(tab);
      await tab.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestIdleCallback(resolve))));
      await tab.page.screenshot({ path: join(IMAGES, `${name}-${screen}-${colorScheme}.png`), animations: "disabled" });
    });
  }
}
