// A map with tiles: one line, `NEXT_PUBLIC_MAP_STYLE`, which a build puts into the page as it is put here.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { APP } from "../../scripts/setup/app.mjs";
import { eventually } from "../e2e/support/wait.ts";
import { launchBrowser } from "../local-ably/browser.ts";
import { SOFTWARE_GPU } from "./support/app.ts";
import { commonestColour } from "./support/picture.ts";

/** A picture of one pixel. */
const RED = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC", "base64");

const MADE_BY = "Tiles of the test";

/** A style with one tile for all of the world: red. */
const style = (url: string) => ({
  version: 8,
  sources: { tiles: { type: "raster", tiles: [`${url}/tile.png?{z}/{x}/{y}`], tileSize: 512, attribution: MADE_BY } },
  layers: [{ id: "tiles", type: "raster", source: "tiles" }],
});

const PAGE = `<!doctype html><title>Map</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css">
  <div id="map" style="width: 400px; height: 300px"></div><script type="module" src="/page.js"></script>`;

const SCRIPT = `
  import { draw } from "./map/draw";
  const drawing = draw(document.getElementById("map"), { following() {}, lost() {} });
  drawing.trail([{ seq: 1, capturedAt: 1, lat: 48.2, lng: 16.3 }, { seq: 2, capturedAt: 2, lat: 48.21, lng: 16.31 }]);
`;

/** Serves a page with the app's map, built with that style. */
async function serve(): Promise<{ server: Server; url: string; asked: string[] }> {
  const files = new Map<string, [type: string, body: string | Buffer]>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    asked.push(path);
    const library = join(APP, "node_modules", path);
    const isOfLibrary = path.startsWith("/maplibre-gl/dist/") && existsSync(library);
    const [type, body] = isOfLibrary ? (["text/javascript", readFileSync(library)] as const) : (files.get(path) ?? []);
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type ?? "text/plain" }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { outputFiles } = await build({
    stdin: { contents: SCRIPT, resolveDir: APP, loader: "ts" },
    bundle: true,
    write: false,
    outfile: "/page.js",
    format: "esm",
    tsconfig: join(APP, "tsconfig.json"),
    define: { "process.env.NEXT_PUBLIC_MAP_STYLE": JSON.stringify(`${url}/style.json`) },
  });
  for (const { path, text } of outputFiles) files.set(path, [path.endsWith(".css") ? "text/css" : "text/javascript", text]);
  files.set("/", ["text/html", PAGE]);
  files.set("/style.json", ["application/json", JSON.stringify(style(url))]);
  files.set("/tile.png", ["image/png", RED]);
  return { server, url, asked };
}

test("tiles are one line, and whoever has made them is named", async (t) => {
  const { server, url, asked } = await serve();
  const browser = await launchBrowser(...SOFTWARE_GPU);
  t.after(async () => {
    await browser.close();
    server.close();
  });
  const page = await browser.newPage();
  const wrong: string[] = [];
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(error.message));
  await page.goto(url);
  await eventually("tiles to be asked for", () => (asked.includes("/tile.png") ? true : undefined));
  await page.getByText(MADE_BY).waitFor();
  await eventually("the trail to be drawn over them", async () => ((await page.locator("[data-points='2']").count()) > 0 ? true : undefined));
  // Red, and nothing of the grid's ground.
  await eventually("a red map", async () => {
    const { red, green } = await commonestColour(page.locator("#map"));
    return red > 200 && green < 50 ? true : undefined;
  });
  assert.ok(asked.includes("/style.json"));
  assert.deepEqual(wrong, []);
});
