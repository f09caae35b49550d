// A real drive, as the fixes that a phone would post. tests/data/README.md says where it comes from.

import { readFileSync } from "node:fs";

/** A fix as it is posted. */
export interface Fix {
  lat: number;
  lng: number;
  altitude?: number;
  /** Epoch milliseconds. */
  capturedAt: number;
  id?: string;
}

/** How much faster than in life the drive is driven: its nine minutes take nine seconds. */
const COMPRESSION = 60;

/**
 * The drive, so that it ends now.
 * @param limit only its first fixes
 */
export function drive(limit = Infinity): Fix[] {
  const gpx = readFileSync(new URL("../../data/car-drive.gpx", import.meta.url), "utf8");
  const points = [...gpx.matchAll(/<trkpt lat="([^"]+)" lon="([^"]+)"><ele>([^<]+)<\/ele><time>([^<]+)<\/time><\/trkpt>/g)];
  if (points.length === 0 || points.length !== gpx.split("<trkpt").length - 1) throw new Error("the GPX file is not what this reads");
  const fixes = points.slice(0, limit).map(([, lat, lng, altitude, time]) => ({
    lat: Number(lat),
    lng: Number(lng),
    altitude: Number(altitude),
    capturedAt: Date.parse(time ?? ""),
  }));
  const last = fixes.at(-1)?.capturedAt ?? 0;
  const now = Date.now();
  return fixes.map((fix) => ({ ...fix, capturedAt: now - Math.round((last - fix.capturedAt) / COMPRESSION) }));
}
