// A batch request: `[{"channels":["…"],"messages":[…]}, …]`, a channel and a message in each spec, as the sides write it. It is cut by its
// bytes: that takes microseconds while a measurement runs. Whether the cuts were right is found out afterwards, when what lies between them
// is parsed.

export const BATCH_PATH = "/messages";

/** Ably's limits. */
const SPECS_MAX = 100;
const BODY_MAX = 2 * 1024 * 1024;

/** Within a text of JSON quotes are escaped, so this begins a spec wherever it stands. */
const SPEC = '{"channels":["';
const MESSAGES = '"],"messages":[';
const END = "]}";

/**
 * The channels of a batch, one for each spec.
 * @param {Buffer} body
 */
export function channelsIn(body) {
  /** @type {string[]} */
  const channels = [];
  for (let start = body.indexOf(SPEC); start >= 0; start = body.indexOf(SPEC, start)) {
    start += SPEC.length;
    channels.push(body.toString("latin1", start, body.indexOf('"', start)));
  }
  return channels;
}

/**
 * The messages of a batch, each with its channel and as the bytes that stand there; throws where that is no batch that Ably would take.
 * @param {Buffer} body
 */
export function specsIn(body) {
  const channels = channelsIn(body);
  if (body.length > BODY_MAX) throw new Error(`a batch has ${body.length} bytes`);
  if (channels.length === 0 || channels.length > SPECS_MAX) throw new Error(`a batch has ${channels.length} specs`);
  if (new Set(channels).size < channels.length) throw new Error("a batch has two messages of one job");
  let end = 0;
  const specs = channels.map((channel, index) => {
    // Before the first is the bracket that opens the array, before the others a comma.
    const start = expect(body, index === 0 ? "[" : ",", end) + SPEC.length + channel.length;
    const from = expect(body, MESSAGES, start);
    const next = body.indexOf(SPEC, from);
    end = next < 0 ? body.length - 1 : next - 1;
    const to = end - END.length;
    expect(body, END, to);
    return { channel, message: body.subarray(from, to) };
  });
  expect(body, "]", end);
  return specs;
}

/**
 * The place behind what must stand at `place`.
 * @param {Buffer} body
 * @param {string} text
 * @param {number} place
 */
function expect(body, text, place) {
  const end = place + text.length;
  if (body.toString("latin1", place, end) !== text) throw new Error(`a batch is not written as it should be, at ${place}`);
  return end;
}
