// What is wrong with how a page fits people and their screens.

import axe from "axe-core";
import type { Page } from "playwright-core";

/** CSS pixels: as wide and as high as what is touched has to be. */
const TARGET = 44;

/** What axe finds against the page as it is now. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
  });
  return found;
}

/** What can be touched and is too small for a finger: all but links within a text. */
export function small(page: Page): Promise<string[]> {
  return page.evaluate((least) => {
    const all = document.querySelectorAll<HTMLElement>("a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [data-job][role=img]");
    const isInText = (element: HTMLElement) => element.matches("a") && getComputedStyle(element).display === "inline" && element.parentElement?.textContent?.trim() !== element.textContent?.trim();
    return [...all].flatMap((element) => {
      // Who touches its label touches it.
      const label = element.matches("[type=checkbox], [type=radio]") ? element.closest("label") : null;
      const { width, height } = (label ?? element).getBoundingClientRect();
      const isShown = element.checkVisibility({ visibilityProperty: true }) && width > 1 && height > 1;
      return !isShown || isInText(element) || (width >= least - 0.01 && height >= least - 0.01) ? [] : [`${Math.round(width)}×${Math.round(height)}: ${element.outerHTML}`];
    });
  }, TARGET);
}

/** What sticks out of the page to the right, so that one would have to scroll there. */
export function wide(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const out = [...document.querySelectorAll("body *")].filter((element) => element.getBoundingClientRect().right > clientWidth + 0.5);
    return [`${scrollWidth} on ${clientWidth}`, ...out.map((element) => element.outerHTML.slice(0, 120))];
  });
}
