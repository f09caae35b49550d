// How a trail becomes a file.

/** A fix as it stands in the file. */
export interface Point {
  /** The assignment that it is of. */
  epoch: string;
  /** When it was measured, Unix milliseconds. */
  at: number;
  text: string;
}

interface Format {
  type: string;
  begin: (name: string) => string;
  /** The fixes of a page, as Towline answers it in this format. */
  points: (page: unknown) => Point[];
  /** Between two fixes of an assignment. */
  between: string;
  /** Between two assignments. */
  segment: string;
  end: string;
}

interface Feature {
  properties: { epoch: number; capturedAt: number };
}

/** What XML may have, of a name in which anything may be. */
const xml = (name: string) => name.replace(/[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export const FORMATS = {
  geojson: {
    type: "application/geo+json",
    begin: () => '{"type":"FeatureCollection","features":[',
    points: (page) =>
      (page as { features: Feature[] }).features.map((feature) => {
        const { epoch, capturedAt } = feature.properties;
        return { epoch: String(epoch), at: capturedAt, text: JSON.stringify(feature) };
      }),
    between: ",",
    segment: ",",
    end: "]}",
  },
  gpx: {
    type: "application/gpx+xml",
    begin: (name) =>
      `<?xml version="1.0" encoding="UTF-8"?><gpx version="1.1" creator="Towline" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>${xml(name)}</name><trkseg>`,
    points: (page) =>
      [...String(page).matchAll(/<trkpt .*?<time>(.*?)<\/time><name>(\d+)\.\d+<\/name><\/trkpt>/gs)].map(([text, time = "", epoch = ""]) => ({
        epoch,
        at: Date.parse(time),
        text,
      })),
    between: "",
    segment: "</trkseg><trkseg>",
    end: "</trkseg></trk></gpx>",
  },
} satisfies Record<string, Format>;

export const isFormat = (name: string): name is keyof typeof FORMATS => Object.hasOwn(FORMATS, name);

/** How many fixes a phone keeps that it could not send: none comes later than behind so many others. */
const LATEST = 50_000;

/**
 * The parts of a file. Each assignment is in the order in which its fixes were measured: Towline tells them as they came, and what a phone could not
 * send at once comes late. So as many are held as one may be late by, and half of them given away where there are twice as many: 40 MB at most.
 * @param name what the job is called
 * @param pages in the format, in Towline's order
 */
export async function* parts({ begin, points, between, segment, end }: Format, name: string, pages: AsyncIterable<unknown>): AsyncGenerator<string> {
  yield begin(name);
  let held: Point[] = [];
  /** What stands before the next fix. */
  let before = "";
  const give = (count: number) => {
    held.sort((a, b) => a.at - b.at);
    const given = held.slice(0, count).map(({ text }) => text);
    held = held.slice(count);
    return before + given.join(between);
  };
  for await (const page of pages) {
    for (const point of points(page)) {
      if (held[0] && held[0].epoch !== point.epoch) {
        yield give(held.length);
        before = segment;
      } else if (held.length === 2 * LATEST) {
        yield give(LATEST);
        before = between;
      }
      held.push(point);
    }
  }
  if (held.length > 0) yield give(held.length);
  yield end;
}
