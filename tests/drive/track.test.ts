// Files as tools write them: nothing of a point is lost, made up, or moved.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parseTrack, readTrack } from "../../scripts/drive/track.mjs";

const GPX = 'xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator="test"';
const gpx = (...inside: string[]) => `<?xml version="1.0"?>\n<gpx ${GPX}>\n${inside.join("\n")}\n</gpx>`;
const track = (...points: string[]) => gpx("<trk><trkseg>", ...points, "</trkseg></trk>");
const time = (text: string) => `<trkpt lat="1" lon="2"><time>${text}</time></trkpt>`;
const at = Date.parse("2026-01-31T08:00:00Z");

test("GPX: a 0 is a 0, in the place, the altitude and what was measured", () => {
  const zero = '<trkpt lat="0" lon="0"><ele>0</ele><time>1970-01-01T00:00:00Z</time><extensions><speed>0</speed><course>0.0</course></extensions></trkpt>';
  const [leg] = parseTrack(track(zero, '<trkpt lat="-0.5" lon="-180"><ele>-1</ele></trkpt>'));
  assert.deepEqual(leg, [
    { lat: 0, lng: 0, altitude: 0, speed: 0, heading: 0, time: 0 },
    { lat: -0.5, lng: -180, altitude: -1 },
  ]);
});

test("GPX: what is empty, no number, or -1 for a speed, is unknown, and no 0", () => {
  const unknown = '<trkpt lat="1" lon="2"><ele></ele><time/><extensions><speed>-1</speed><course>NaN</course><accuracy>-1.0</accuracy></extensions></trkpt>';
  assert.deepEqual(parseTrack(track(unknown, unknown)).flat(), [{ lat: 1, lng: 2 }, { lat: 1, lng: 2 }]);
});

test("GPX: times to the millisecond, with offsets, and as UTC where there is none", () => {
  const texts = ["08:00:00Z", "08:00:00.25Z", "08:00:00.123456789Z", "10:00:00+02:00", "10:00:00.5+0200", "03:00:00-05", "08:00:00", "08:00Z"];
  const times = parseTrack(track(...texts.map((text) => time(` 2026-01-31T${text}\n`)))).flat().map((point) => (point.time ?? NaN) - at);
  assert.deepEqual(times, [0, 250, 123, 0, 500, 0, 0, 0]);
});

test("GPX: a point without a time keeps its place among those that have one", () => {
  const points = [time("2026-01-31T08:00:00Z"), '<trkpt lat="1" lon="2"/>', time("2026-01-31T08:00:02Z")];
  assert.deepEqual(parseTrack(track(...points)).flat().map((point) => point.time), [at, undefined, at + 2000]);
});

test("GPX: segments and tracks are legs, also those of one point", () => {
  const one = '<trkseg><trkpt lat="1" lon="2"/></trkseg>';
  const two = '<trkseg><trkpt lat="3" lon="4"/><trkpt lat="5" lon="6"/></trkseg>';
  const legs = parseTrack(gpx(`<trk>${one}<trkseg/>${two}</trk>`, `<trk>${one}</trk>`, '<wpt lat="7" lon="8"/>'));
  assert.deepEqual(legs.map((leg) => leg.map(({ lat }) => lat)), [[1], [3, 5], [1]]);
});

test("GPX: a route where there is no track, waypoints where there is neither, with their times", () => {
  const [waypoints, route] = ["wpt", "rtept"].map((name) => `<${name} lat="1" lon="2"><time>2026-01-31T08:00:00Z</time></${name}>`.repeat(2)) as [string, string];
  for (const text of [gpx(waypoints), gpx('<wpt lat="9" lon="9"/>', "<trk/>", `<rte>${route}</rte>`)]) {
    assert.deepEqual(parseTrack(text), [[{ lat: 1, lng: 2, time: at }, { lat: 1, lng: 2, time: at }]]);
  }
});

test("GPX: speed, course and accuracy in any maker's namespace, and as in GPX 1.0", () => {
  const garmin = "http://www.garmin.com/xmlschemas/TrackPointExtension/v2";
  const extended = `<trkpt lat="1" lon="2"><extensions><ns3:TrackPointExtension xmlns:ns3="${garmin}"><ns3:hr>90</ns3:hr><ns3:speed>4.5</ns3:speed><ns3:course>90</ns3:course></ns3:TrackPointExtension></extensions></trkpt>`;
  const osmand = '<trkpt lat="1" lon="2"><extensions><o:speed xmlns:o="https://osmand.net">4.5</o:speed><o:bearing xmlns:o="https://osmand.net">90</o:bearing></extensions></trkpt>';
  const old = '<trkpt lat="1" lon="2"><course>90</course><speed>4.5</speed></trkpt>';
  for (const text of [extended, osmand, old]) assert.deepEqual(parseTrack(track(text, text))[0]?.[0], { lat: 1, lng: 2, speed: 4.5, heading: 90 });
});

test("GeoJSON: lines with their times beside them, in one part and in several, as text and as milliseconds", () => {
  const feature = (type: string, coordinates: unknown, properties: object) => JSON.stringify({ type: "Feature", geometry: { type, coordinates }, properties });
  const text = ["2026-01-31T08:00:00Z", "2026-01-31T10:00:01.5+02:00"];
  const points = [{ lat: 0, lng: 0, altitude: 0, time: at }, { lat: 1, lng: 2, time: at + 1500 }];
  const line = [[0, 0, 0], [2, 1]];
  for (const times of [text, [at, at + 1500]]) {
    assert.deepEqual(parseTrack(feature("LineString", line, { coordinateProperties: { times } })), [points]);
    assert.deepEqual(parseTrack(feature("LineString", line, { coordTimes: times })), [points]);
    assert.deepEqual(parseTrack(feature("MultiLineString", [line, line], { coordinateProperties: { times: [times, times] } })), [points, points]);
  }
  const measured = { coordinateProperties: { speeds: [0, null], courses: [0, 90], times: [null, at] } };
  assert.deepEqual(parseTrack(feature("LineString", line, measured)).flat(), [
    { lat: 0, lng: 0, altitude: 0, speed: 0, heading: 0 },
    { lat: 1, lng: 2, heading: 90, time: at },
  ]);
});

test("GeoJSON: points with their times, by each name, in seconds and in milliseconds", () => {
  const point = (properties: object) => ({ type: "Feature", geometry: { type: "Point", coordinates: [0, 0, 0] }, properties });
  const said = [{ time: "2026-01-31T08:00:00Z" }, { timestamp: at }, { capturedAt: at, timestamp: "later" }, { tst: at / 1000 }, { timestamp: null, time: at }];
  const features = said.map((properties) => point({ ...properties, speed: 0, heading: -1, horizontal_accuracy: 5 }));
  const [leg = []] = parseTrack(JSON.stringify({ type: "FeatureCollection", features: [...features, { type: "Feature", geometry: null, properties: {} }] }));
  assert.deepEqual(leg, said.map(() => ({ lat: 0, lng: 0, altitude: 0, speed: 0, accuracy: 5, time: at })));
});

test("GeoJSON: bare geometry, and a line that counts on over the antimeridian", () => {
  const line = { type: "LineString", coordinates: [[179, 1], [180, 1], [181, 1], [-541, 1]] };
  const expected = [[179, 180, -179, 179]];
  for (const text of [line, { type: "GeometryCollection", geometries: [line] }]) {
    assert.deepEqual(parseTrack(JSON.stringify(text)).map((leg) => leg.map(({ lng }) => lng)), expected);
  }
});

test("GeoJSON: a fourth coordinate that can be a time is one, and no other", () => {
  const seconds = at / 1000;
  const line = (...fourth: number[]) => JSON.stringify({ type: "LineString", coordinates: fourth.map((value) => [2, 1, 5, value]) });
  assert.deepEqual(parseTrack(line(seconds, at + 1000)).flat().map(({ time }) => time), [at, at + 1000]);
  assert.deepEqual(parseTrack(line(17, 0)).flat(), [{ lat: 1, lng: 2, altitude: 5 }, { lat: 1, lng: 2, altitude: 5 }]);
});

test("GeoJSON: where points have times and the line beside them has none, the points are the drive; an area beside them is none of it", () => {
  const feature = (type: string, coordinates: unknown, properties = {}) => ({ type: "Feature", geometry: { type, coordinates }, properties });
  const line = feature("LineString", [[2, 1], [2, 3]]);
  const points = [feature("Point", [2, 1], { startTime: at }), feature("Point", [2, 2], { startTime: at + 1000 })];
  const all = (...features: object[]) => parseTrack(JSON.stringify({ type: "FeatureCollection", features }));
  assert.deepEqual(all(line, ...points, feature("Polygon", [])), [[{ lat: 1, lng: 2, time: at }, { lat: 2, lng: 2, time: at + 1000 }]]);
  assert.deepEqual(all(line, feature("Point", [2, 2])), [[{ lat: 1, lng: 2 }, { lat: 3, lng: 2 }]]);
});

test("each point of any track comes back as it was written, in both formats", () => {
  const coordinate = (most: number) => fc.double({ min: -most, max: most, noNaN: true });
  const anything = fc.record(
    { lat: coordinate(90), lng: coordinate(180), altitude: fc.constantFrom(0, -1, 8848.5), time: fc.integer({ min: 1e11, max: 4e12 }) },
    { requiredKeys: ["lat", "lng"] },
  );
  const plain = (value: number) => value.toFixed(20);
  fc.assert(
    fc.property(fc.array(fc.array(anything, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 4 }), (drawn) => {
      // -0 is 0, here and in JSON.
      const legs = drawn.map((leg) => leg.map((point) => ({ ...point, lat: Number(plain(point.lat)) + 0, lng: Number(plain(point.lng)) + 0 })));
      const written = legs.map((leg) => {
        const points = leg.map(({ lat, lng, altitude, time }) => {
          const inside = [altitude === undefined ? "" : `<ele>${altitude}</ele>`, time === undefined ? "" : `<time>${new Date(time).toISOString()}</time>`];
          return `<trkpt lat="${plain(lat)}" lon="${plain(lng)}">${inside.join("")}</trkpt>`;
        });
        return `<trkseg>${points.join("")}</trkseg>`;
      });
      assert.deepEqual(parseTrack(gpx("<trk>", ...written, "</trk>")), legs);
      const coordinates = legs.map((leg) => leg.map(({ lat, lng, altitude }) => (altitude === undefined ? [lng, lat] : [lng, lat, altitude])));
      const times = legs.map((leg) => leg.map(({ time }) => time ?? null));
      const json = { type: "Feature", geometry: { type: "MultiLineString", coordinates }, properties: { coordinateProperties: { times } } };
      assert.deepEqual(parseTrack(JSON.stringify(json)), legs);
    }),
  );
});

test("what is wrong is told by its line, or its place in the JSON, and quotes no position", () => {
  const cases: [text: string, said: RegExp][] = [
    [track('<trkpt lat="1" lon="2"/>', '<trkpt lat="91.25" lon="2"/>'), /^line 5: the latitude/],
    [track('<trkpt lat="1" lon="2"/>', '<trkpt lat="91,25" lon="2"/>'), /^line 5: the latitude/],
    [track('<trkpt lat="1"/>'), /^line 4: the longitude/],
    [track(time("31.01.2026"), time("")), /^line 4: the time/],
    [track(time("2026-02-31T25:00:00Z"), time("")), /^line 4: the time/],
    [track('<trkpt lat="1" lon="2"/>'), /less than two points/],
    ["<gpx><trk></gpx>", /^line 1: this is no whole XML/],
    [`<gpx ${GPX}>\n<trk>`, /^line 2: this is no whole XML/],
    ['<kml xmlns="http://www.opengis.net/kml/2.2"/>', /^line 1: this is <kml>/],
    ["lat,lng\n91.25,2", /^line 1: this is neither GPX/],
    ['{"type": "LineString",\n"coordinates": [[2, 91.25],]}', /^line 2: this is no whole JSON/],
    ['{"type": "LineString", "coordinates": [[2, 1], [2, 91.25]]}', /^coordinates\[1\]: the latitude/],
    ['{"type": "LineString", "coordinates": [[2, 1], [2, null]]}', /^coordinates\[1\]: the latitude/],
    ['{"type": "LineString", "coordinates": [2, 91.25]}', /^coordinates\[0\]: an array/],
    ['{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {"type": "Polygon"}}]}', /^features\[0\]\.geometry\.coordinates: a Polygon/],
    ['{"type": "FeatureCollection"}', /^features: an array/],
    ['{"locations": [{"latitudeE7": 912500000}]}', /^line 1: this is no GeoJSON/],
    ['{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {}}]}', /^features\[0\]\.geometry\.coordinates: this is no GeoJSON/],
  ];
  for (const [text, said] of cases) {
    assert.throws(() => parseTrack(text), ({ message }: Error) => said.test(message) && !/91.25/.test(message), `${said} of ${text}`);
  }
});

test("the failure names the file", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "towline-track-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "mine.gpx");
  assert.throws(() => readTrack(path), /mine\.gpx cannot be read \(ENOENT\)/);
  writeFileSync(path, `\uFEFF${track('<trkpt lat="x" lon="2"/>')}`);
  assert.throws(() => readTrack(path), /mine\.gpx, line 4: the latitude/);
});

test("a file in UTF-16 is read as that, in both orders of its bytes", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "towline-track-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const text = track(time("2026-01-31T08:00:00Z"), time("2026-01-31T08:00:01Z"));
  const bytes = Buffer.from(`\uFEFF${text}`, "utf16le");
  for (const [name, content] of Object.entries({ little: bytes, big: Buffer.from(bytes).swap16() })) {
    writeFileSync(join(folder, name), content);
    assert.deepEqual(readTrack(join(folder, name)), parseTrack(text), name);
  }
});
