#!/usr/bin/env bash
# @tmcw/togeojson 7.1.3 (with @xmldom/xmldom 0.9.12): a GPX track some of whose points have no time, which GPX allows.
#
# Expected: `coordinateProperties.times` has one entry for each point of the line, and null where the point has no time: as the arrays of what
#           stands in extensions (`speeds`, `heart`) do.
# Seen:     the times that there are follow each other without a gap, so from the first point without one on each has the time of a later point,
#           and nothing tells which. It is the same with segments: one without times has no entry, and takes those of the next. A segment of one
#           point is dropped, with its time.
# What to do: read the points of the XML themselves, as scripts/drive/gpx.mjs does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --save-exact @tmcw/togeojson@7.1.3 @xmldom/xmldom@0.9.12
cat >finding.mjs <<'JS'
import { gpx } from "@tmcw/togeojson";
import { DOMParser } from "@xmldom/xmldom";

const times = (...segments) => {
  const points = (list) => list.map((time) => `<trkpt lat="1" lon="2">${time ? `<time>${time}</time>` : ""}</trkpt>`).join("");
  const track = segments.map((list) => `<trkseg>${points(list)}</trkseg>`).join("");
  const text = `<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator="finding"><trk>${track}</trk></gpx>`;
  return gpx(new DOMParser().parseFromString(text, "text/xml")).features[0].properties.coordinateProperties.times;
};
const [a, b, c] = [1, 2, 3].map((second) => `2026-01-31T08:00:0${second}Z`);
const seen = [times([a, null, c]), times([a, b], [c]), times([null, null], [a, b])];
console.log(JSON.stringify(seen));
process.exit(JSON.stringify(seen) === JSON.stringify([[a, c], [a, b], [[a, b]]]) ? 0 : 1);
JS
node finding.mjs
