// What the graphics card draws below the markers: the grid where there are no tiles, and the trail. It is drawn anew when it changes, and
// not when a marker moves.

import type { TrailPoint } from "@towline/client";
import type { LineString } from "geojson";
import type { GeoJSONSource, Map as MapLibre } from "maplibre-gl";
import { onFrom } from "./spot";
import { colour, COLOURS, GRID, grid, TILES, TRAIL, trailLayers } from "./style";

export interface Ground {
  /** The trail, as it is drawn. */
  points(): readonly TrailPoint[];
  trail(points: readonly TrailPoint[]): void;
  remove(): void;
}

export function ground(map: MapLibre): Ground {
  let drawn: readonly TrailPoint[] = [];
  const line = (): LineString => {
    let last = drawn[0]?.lng ?? 0;
    return { type: "LineString", coordinates: drawn.map(({ lng, lat }) => [(last = onFrom(last, lng)), lat]) };
  };

  const drawGrid = () => {
    if (TILES) return;
    const { _sw: sw, _ne: ne } = map.getBounds();
    map.getSource<GeoJSONSource>(GRID)?.setData(grid(sw.lng, sw.lat, ne.lng, ne.lat));
  };
  // Also when the graphics card has come back.
  map.on("style.load", () => {
    if (!map.getSource(TRAIL)) {
      map.addSource(TRAIL, { type: "geojson", data: line() });
      for (const layer of trailLayers()) map.addLayer(layer);
    }
    map.getSource<GeoJSONSource>(TRAIL)?.setData(line());
    drawGrid();
  });
  map.on("moveend", drawGrid);

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const recolour = () => {
    for (const [layer, property, name] of COLOURS) if (map.getLayer(layer)) map.setPaintProperty(layer, property, colour(name));
  };
  dark.addEventListener("change", recolour);

  return {
    points: () => drawn,
    trail(points) {
      drawn = points;
      map.getContainer().dataset.points = String(points.length);
      map.getSource<GeoJSONSource>(TRAIL)?.setData(line());
    },
    remove() {
      dark.removeEventListener("change", recolour);
    },
  };
}
