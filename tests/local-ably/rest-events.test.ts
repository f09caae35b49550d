// Server-sent events, as any client reads them that has no SDK.

import assert from "node:assert/strict";
import { able, inState, KEY, localAbly, soon } from "./support.ts";

const test = localAbly();

type Event = { kind: string; id: string; data: string };

/** Reads a stream of events until so many have come. */
async function read(response: Response, count: number): Promise<Event[]> {
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  assert(response.body);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const events: Event[] = [];
  let text = "";
  while (events.length < count) {
    const { value, done } = await soon(reader.read(), `${count} events, of which ${events.length} came`);
    if (done) break;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
      events.push({ kind: field("event"), id: field("id"), data: field("data") });
    }
  }
  await reader.cancel();
  return events;
}

test("what SDKs publish and who enters are events, which go on where they ended", async ({ realtime, url, name }) => {
  const channel = name();
  const publisher = realtime().channels.get(channel);
  await publisher.attach();
  const stream = (query: string) => fetch(`${url}/sse?v=1.2&channels=${channel}&key=${KEY}&${query}`);
  const first = await stream("");
  await publisher.publish("n", { a: 1 });
  await publisher.presence.enterClient("c", "here");
  const [message, presence] = await read(first, 2);
  assert(message && presence);
  assert.deepEqual([message.kind, presence.kind], ["message", "presence"]);
  const { data, encoding, channel: of } = JSON.parse(message.data);
  assert.deepEqual([data, encoding, of], ['{"a":1}', "json", channel]);
  assert.deepEqual([JSON.parse(presence.data).clientId, JSON.parse(presence.data).action], ["c", 2]);
  await publisher.publish("n", "missed");
  const [missed] = await read(await stream(`lastEvent=${presence.id}`), 1);
  assert.equal(JSON.parse(missed?.data ?? "").data, "missed");
  const [rewound] = await read(await stream("rewind=1&enveloped=false"), 1);
  assert.equal(rewound?.data, "missed");
});

test("a token's end is an error event, and a refusal an ordinary answer", async ({ realtime, url, name }) => {
  const channel = name();
  const token = able({ [channel]: ["subscribe"] }, { exp: Date.now() / 1000 + 2 });
  const [expired] = await read(await fetch(`${url}/sse?channels=${channel}&accessToken=${token}`), 1);
  assert.deepEqual([expired?.kind, JSON.parse(expired?.data ?? "").code], ["error", 40142]);
  const refused = await fetch(`${url}/sse?channels=elsewhere&accessToken=${able({ [channel]: ["subscribe"] })}`);
  assert.deepEqual([refused.status, refused.headers.get("x-ably-errorcode")], [401, "40160"]);
  assert.equal((await refused.json()).error.code, 40160);
  await inState(realtime().connection, "connected");
});
