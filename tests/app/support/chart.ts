// Where on earth something is that is seen on a page's map.

import type { Page } from "playwright-core";

/** A place on earth, WGS 84, in degrees. */
export interface Place {
  lat: number;
  lng: number;
}

/** What a map says of its view: longitude and latitude of its centre, and its zoom. */
type View = [lng: number, lat: number, zoom: number];

/** Where a marker is, in pixels east and south of the middle of a map, and what that map shows then. */
interface Sight {
  view: View;
  x: number;
  y: number;
}

const METRES_A_DEGREE = 111_195;
const TILE = 512;

/** How far apart two places are, which are near each other. */
export function metres(a: Place, b: Place): number {
  return METRES_A_DEGREE * Math.hypot(b.lat - a.lat, (b.lng - a.lng) * Math.cos((a.lat * Math.PI) / 180));
}

/** How many metres a pixel is. */
export function metresAPixel([, lat, zoom]: View): number {
  return (METRES_A_DEGREE * 360 * Math.cos((lat * Math.PI) / 180)) / (TILE * 2 ** zoom);
}

/** By Web Mercator. */
export function placeOf({ view: [lng, lat, zoom], x, y }: Sight): Place {
  const radians = (2 * Math.PI) / (TILE * 2 ** zoom);
  const north = Math.asinh(Math.tan((lat * Math.PI) / 180)) - y * radians;
  return { lng: lng + (x * radians * 180) / Math.PI, lat: (Math.atan(Math.sinh(north)) * 180) / Math.PI };
}

declare global {
  interface Window {
    sights: { view: string; x: number; y: number }[] | undefined;
  }
}

/** Notes from now on where the marker of a job is, in each frame that is painted and has it elsewhere; what was noted before is forgotten. */
export async function watchMarker(page: Page, job: string) {
  await page.evaluate((job) => {
    const isNoted = window.sights !== undefined;
    window.sights = [];
    if (isNoted) return;
    const look = () => {
      const sights = (window.sights ??= []);
      const map = document.querySelector<HTMLElement>("[data-view]");
      const marker = document.querySelector(`[role="img"][data-job="${job}"]`);
      if (map && marker) {
        const [on, at] = [map.getBoundingClientRect(), marker.getBoundingClientRect()];
        const middle = ({ left, top, width, height }: DOMRect) => [left + width / 2, top + height / 2] as const;
        const [[left, top], [x, y]] = [middle(on), middle(at)];
        const sight = { view: map.dataset.view ?? "", x: x - left, y: y - top };
        const last = sights.at(-1);
        if (last?.x !== sight.x || last.y !== sight.y || last.view !== sight.view) sights.push(sight);
      }
      requestAnimationFrame(look);
    };
    look();
  }, job);
}

/** What was noted, in order. */
export async function sights(page: Page): Promise<Sight[]> {
  const all = await page.evaluate(() => window.sights ?? []);
  return all.map(({ view, x, y }) => ({ view: view.split(",").map(Number) as View, x, y }));
}
