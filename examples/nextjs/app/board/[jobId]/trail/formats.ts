// How pages of a trail become one file.

interface Format {
  type: string;
  begin: (jobId: string) => string;
  /** What stands in the middle of a page. @param before the place, `epoch.seq`, after which the page begins; empty at the first */
  inner: (page: unknown, before: string) => string;
  end: string;
}

const SEGMENT = "</trkseg><trkseg>";

export const FORMATS = {
  geojson: {
    type: "application/geo+json",
    begin: () => '{"type":"FeatureCollection","features":[',
    inner: (page, before) => {
      const features: string[] = (page as { features: unknown[] }).features.map((feature) => JSON.stringify(feature));
      return (before && features.length > 0 ? "," : "") + features.join(",");
    },
    end: "]}",
  },
  gpx: {
    type: "application/gpx+xml",
    begin: (jobId) =>
      `<?xml version="1.0" encoding="UTF-8"?><gpx version="1.1" creator="Towline" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>${jobId}</name><trkseg>`,
    inner: (page, before) => {
      const [, points = ""] = /<trkseg>(.*)<\/trkseg>/s.exec(String(page)) ?? [];
      // A segment is an assignment, and may go on from one page to the next.
      const [, epoch] = /<name>(\d+)\.\d+<\/name>/.exec(points) ?? [];
      const goesOn = before === "" || points === "" || before.startsWith(`${epoch}.`);
      return (goesOn ? "" : SEGMENT) + points;
    },
    end: "</trkseg></trk></gpx>",
  },
} satisfies Record<string, Format>;

export const isFormat = (name: string): name is keyof typeof FORMATS => Object.hasOwn(FORMATS, name);
