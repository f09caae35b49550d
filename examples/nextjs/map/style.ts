// What lies under the vehicles. As it is here it needs no network: a ground, and a grid so that movement is seen.

import type { MultiLineString } from "geojson";
import type { LayerSpecification, StyleSpecification } from "maplibre-gl";

/** A colour of `globals.css`, as it is now, light or dark. */
export function colour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  // Where the user's own colours are forced on what stands in the page, the map keeps its own.
  probe.style.setProperty("forced-color-adjust", "none");
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

export const GRID = "grid";
export const TRAIL = "trail";

/** Tiles are one line: the URL of a style, as `NEXT_PUBLIC_MAP_STYLE` in `.env.local`. */
export const TILES = process.env.NEXT_PUBLIC_MAP_STYLE;

const CASING = "trail-casing";

/** Which colour of the page each layer has, light or dark: layer, property, name. */
export const COLOURS = [
  ["ground", "background-color", "--map-ground"],
  [GRID, "line-color", "--map-line"],
  [CASING, "line-color", "--card"],
  [TRAIL, "line-color", "--accent"],
] as const;

export function plain(): StyleSpecification {
  return {
    version: 8,
    sources: { [GRID]: { type: "geojson", data: { type: "FeatureCollection", features: [] } } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": colour("--map-ground") } },
      { id: GRID, type: "line", source: GRID, paint: { "line-color": colour("--map-line"), "line-width": 1 } },
    ],
  };
}

/** The trail, in a casing, so that it stands out on any ground. */
export function trailLayers(): LayerSpecification[] {
  const layout = { "line-cap": "round", "line-join": "round" } as const;
  return [
    { id: CASING, type: "line", source: TRAIL, layout, paint: { "line-color": colour("--card"), "line-width": 8 } },
    { id: TRAIL, type: "line", source: TRAIL, layout, paint: { "line-color": colour("--accent"), "line-width": 4 } },
  ];
}

/** Lines of longitude and latitude through what is seen, 8 at most each way. */
export function grid(west: number, south: number, east: number, north: number): MultiLineString {
  const span = Math.max(east - west, north - south, 1e-6);
  const step = 10 ** Math.floor(Math.log10(span / 2)) * (span / 10 ** Math.floor(Math.log10(span / 2)) > 8 ? 5 : 1);
  const along = (from: number, to: number) => Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) + 1 }, (_, n) => (Math.floor(from / step) + n) * step);
  const low = Math.max(south - span, -85);
  const high = Math.min(north + span, 85);
  return {
    type: "MultiLineString",
    coordinates: [
      ...along(west, east).map((lng) => [[lng, low], [lng, high]]),
      ...along(low, high).map((lat) => [[west - span, lat], [east + span, lat]]),
    ],
  };
}
