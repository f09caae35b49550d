// A job's trail as a file: its order, and what it is called, without a server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { toJobId } from "@towline/client";
import { loadModules } from "./support/modules.ts";

type Format = "gpx" | "geojson";

interface TrailFile {
  FORMATS: Record<Format, object>;
  parts(format: object, name: string, pages: AsyncIterable<unknown>): AsyncIterable<string>;
  attachment(jobId: string, format: string): string;
}

const { FORMATS, parts, attachment } = await loadModules<TrailFile>(`
  export * from "./app/board/[jobId]/trail/formats";
  export * from "./app/board/[jobId]/trail/file-name";
`);

const AT = 1_795_900_000_000;

/** A fix, by its assignment, its place there, and when it was measured. */
type Fix = [epoch: number, seq: number, seconds: number];

/** A page as Towline answers it. */
const PAGE: Record<Format, (fixes: Fix[]) => unknown> = {
  geojson: (fixes) => ({
    type: "FeatureCollection",
    features: fixes.map(([epoch, seq, seconds]) => ({
      type: "Feature",
      geometry: { type: "Point", coordinates: [16, 10] },
      properties: { epoch, seq, capturedAt: AT + seconds * 1_000 },
    })),
  }),
  gpx: (fixes) => {
    const point = ([epoch, seq, seconds]: Fix) =>
      `<trkpt lat="10" lon="16"><time>${new Date(AT + seconds * 1_000).toISOString()}</time><name>${epoch}.${seq}</name></trkpt>`;
    return `<?xml version="1.0" encoding="UTF-8"?><gpx version="1.1"><trk><name>job-1</name><trkseg>${fixes.map(point).join("")}</trkseg></trk></gpx>`;
  },
};

async function file(format: Format, pages: Fix[][], name = "job-1"): Promise<string> {
  async function* all() {
    for (const page of pages) yield PAGE[format](page);
  }
  let text = "";
  for await (const part of parts(FORMATS[format], name, all())) text += part;
  return text;
}

/** The places in a file, in its order; of a GPX, by segment. */
const READ: Record<Format, (text: string) => string[][]> = {
  geojson: (text) => [JSON.parse(text).features.map(({ properties: { epoch, seq } }: { properties: { epoch: number; seq: number } }) => `${epoch}.${seq}`)],
  gpx: (text) => [...text.matchAll(/<trkseg>(.*?)<\/trkseg>/gs)].map(([, points = ""]) => [...points.matchAll(/<name>([\d.]+)<\/name>/g)].map(([, place = ""]) => place)),
};

for (const format of ["gpx", "geojson"] as const) {
  test(`${format}: each assignment is in the order in which it was measured, over pages, and after the one before it`, async () => {
    // One that was sent at once, and then what had waited; the next driver's phone begins with what it has kept from before.
    const pages: Fix[][] = [[[1, 1, 16], [1, 2, 8], [1, 3, 9]], [[1, 4, 10], [2, 1, 30]], [[2, 2, 12], [2, 3, 12]], []];
    const segments = [["1.2", "1.3", "1.4", "1.1"], ["2.2", "2.3", "2.1"]];
    assert.deepEqual(READ[format](await file(format, pages)), format === "gpx" ? segments : [segments.flat()]);
    assert.deepEqual(READ[format](await file(format, [[]])), [[]]);
  });

  test(`${format}: of more fixes than are held none is lost, and those of one phone are in order`, async () => {
    const count = 150_001;
    // The last one of all was measured before the 50,000 that it comes behind.
    const fixes: Fix[] = Array.from({ length: count }, (_, n) => [1, n + 1, n === count - 1 ? n - 50_000.5 : n]);
    const [places = []] = READ[format](await file(format, [fixes.slice(0, 70_000), fixes.slice(70_000, 140_000), fixes.slice(140_000)]));
    assert.equal(places.length, count);
    assert.equal(places.indexOf(`1.${count}`), count - 50_001);
    assert.deepEqual([places[0], places.at(-1)], ["1.1", `1.${count - 1}`]);
  });
}

test("a track is called as its job, whatever that is", async () => {
  const track = async (name: string) => /<trk><name>(.*?)<\/name>/s.exec(await file("gpx", [[]], name))?.[1];
  assert.equal(await track("Müller Straße 🚚"), "Müller Straße 🚚");
  assert.equal(await track("a <b> & c]]>\u0000\u{fffe}\ud800"), "a &lt;b&gt; &amp; c]]&gt;");
});

test("a file is called as its job, and safely on every system", () => {
  const named = (name: string) => attachment(toJobId(name), "gpx");
  assert.equal(named("job-1"), `attachment; filename="Trail job-1.gpx"; filename*=UTF-8''Trail%20job-1.gpx`);
  assert.equal(named("Müller Straße"), `attachment; filename="Trail M_ller Stra_e.gpx"; filename*=UTF-8''Trail%20M%C3%BCller%20Stra%C3%9Fe.gpx`);
  assert.equal(named("it's (50%)"), `attachment; filename="Trail it's (50_).gpx"; filename*=UTF-8''Trail%20it%27s%20%2850%25%29.gpx`);
  assert.equal(named('../C:\\a"b\r\n\u202e\ud800'), `attachment; filename="Trail .._C__a_b____.gpx"; filename*=UTF-8''Trail%20.._C__a_b____.gpx`);
  // No id of `toJobId`'s.
  assert.match(attachment("a.b", "gpx"), /"Trail a\.b\.gpx"/);
});
