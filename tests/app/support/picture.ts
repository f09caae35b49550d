// What an element looks like, as it is painted.

import type { Locator } from "playwright-core";

/** Its commonest colour, each part 0 … 255: of a map that is its ground, and neither lines nor marks. */
export async function commonestColour(element: Locator): Promise<{ red: number; green: number; blue: number }> {
  const picture = (await element.screenshot()).toString("base64");
  const [red = 0, green = 0, blue = 0] = await element.page().evaluate(async (picture) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d")!;
    canvas.drawImage(image, 0, 0);
    const { data } = canvas.getImageData(0, 0, image.width, image.height);
    const counts = new Map<string, number>();
    for (let n = 0; n < data.length; n += 4) {
      const colour = data.slice(n, n + 3).join();
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0]![0].split(",").map(Number);
  }, picture);
  return { red, green, blue };
}
