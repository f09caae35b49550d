// The helper behind the wasm side, against a server that misbehaves: `node --test crates/reqwest-shim/tests/`.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";

import { exchange } from "../src/fetch.js";

const BODY_MAX = 65536;
const servers = [];
after(() => servers.forEach((server) => server.stop()));

// Does `act` with each connection once its request is there. `closed` resolves when the client has let go of one.
async function serve(act) {
  const connections = new Set();
  const requests = [];
  let letGo;
  const closed = new Promise((resolve) => (letGo = resolve));
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on("error", () => {});
    connection.on("close", letGo);
    let request = "";
    connection.on("data", (data) => {
      request += data.toString("latin1");
      const [head, body] = request.split("\r\n\r\n");
      if (body === undefined || body.length < Number(/content-length: (\d+)/i.exec(head)[1])) return;
      requests.push(request);
      act(connection);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    connections.forEach((connection) => connection.destroy());
    server.close();
  };
  servers.push({ stop });
  return { url: `http://127.0.0.1:${server.address().port}/channels/secret`, requests, closed };
}

const say = (text) => (connection) => connection.end(text);
const hang = (text) => (connection) => connection.write(text);
const body = "é";
let exchanges = 0;
const post = (url, timeout, headers = "content-type\napplication/json\n") =>
  new Promise((resolve, reject) => {
    const number = (exchanges += 1);
    exchange(["POST", url, headers, body].join("\0"), timeout, BODY_MAX, number, (told, result) => {
      if (told === number) resolve(result);
      else reject(new Error("another's number"));
    });
  });
const text = (result) => new TextDecoder().decode(result.body);

test("one call does the whole exchange", async () => {
  const { url, requests } = await serve(say('HTTP/1.1 201 Created\r\ncontent-length: 2\r\nX-Odd: 1\r\n\r\n{}'));
  const result = await post(url, 20_000, "content-type\napplication/json\nx-ably-version\n6\n");
  assert.deepEqual([result.status, text(result), result.failure, result.timedOut], [201, "{}", undefined, false]);
  assert.equal(result.headers.get("x-odd"), "1");
  const [head, sent] = requests[0].split("\r\n\r\n");
  assert.match(head, /^POST \/channels\/secret HTTP/);
  assert.match(head, /content-type: application\/json/i);
  assert.match(head, /x-ably-version: 6/i);
  assert.equal(sent, Buffer.from(body).toString("latin1"));
  await post(url, 20_000, "content-type\napplication/json\nx-ably-version\n6\n");
  assert.equal(requests[1], requests[0], "what was prepared is not used up");
});

test("bodies of every framing are read whole", async () => {
  const zipped = gzipSync("{}");
  for (const [framing, expected] of [
    ["HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "{}"],
    ["HTTP/1.1 201 Created\r\n\r\n{}", "{}"],
    ["HTTP/1.1 204 No Content\r\n\r\n", ""],
    ["HTTP/1.1 201 Created\r\n\r\n" + "x".repeat(BODY_MAX), "x".repeat(BODY_MAX)],
    [Buffer.concat([Buffer.from(`HTTP/1.1 201 Created\r\ncontent-encoding: gzip\r\ncontent-length: ${zipped.length}\r\n\r\n`), zipped]), "{}"],
  ]) {
    const result = await post((await serve(say(framing))).url, 20_000);
    assert.deepEqual([text(result), result.failure], [expected, undefined]);
  }
});

test("the timer covers head and body, and ends the exchange", async () => {
  for (const [said, status] of [
    ["", 0],
    ["HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n{", 201],
    ["HTTP/1.1 401 No\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n", 401],
  ]) {
    const { url, closed } = await serve(hang(said));
    const result = await post(url, 100);
    assert.deepEqual([result.status, result.timedOut, result.failure], [status, true, "timed out"]);
    assert.equal(result.body.byteLength, 0);
    await closed;
  }
});

test("a timer does not outlive its exchange", async (context) => {
  const { url } = await serve(say("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"));
  const set = context.mock.method(globalThis, "setTimeout");
  const clear = context.mock.method(globalThis, "clearTimeout");
  await post(url, 12_345);
  const ours = set.mock.calls.filter((call) => call.arguments[1] === 12_345);
  assert.equal(ours.length, 1);
  assert.ok(clear.mock.calls.some((call) => call.arguments[0] === ours[0].result));
});

test("no more of a body is read than its limit, however it is packed", async () => {
  const endless = (head) => (connection) => {
    connection.write(head);
    const more = () => {
      while (!connection.destroyed && connection.write("x".repeat(9000)));
    };
    connection.on("drain", more);
    more();
  };
  const bomb = gzipSync(Buffer.alloc(20_000_000));
  for (const act of [
    endless("HTTP/1.1 201 Created\r\n\r\n"),
    endless("HTTP/1.1 201 Created\r\ncontent-length: 999999999\r\n\r\n"),
    say(Buffer.concat([Buffer.from(`HTTP/1.1 201 Created\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`), bomb])),
  ]) {
    const { url, closed } = await serve(act);
    const result = await post(url, 20_000);
    assert.equal(result.status, 201);
    assert.equal(result.failure, "a body of more than 65536 bytes");
    assert.ok(result.body.byteLength > BODY_MAX && result.body.byteLength < 4 * BODY_MAX, result.body.byteLength);
    await closed;
  }
});

test("a redirect is the caller's to judge", async () => {
  const elsewhere = await serve(say("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"));
  const { url } = await serve(say(`HTTP/1.1 307 Away\r\nlocation: ${elsewhere.url}\r\ncontent-length: 0\r\n\r\n`));
  const result = await post(url, 20_000);
  assert.deepEqual([result.status, result.failure], [307, undefined]);
  assert.equal(elsewhere.requests.length, 0);
});

test("what breaks off is a failure that quotes no URL", async () => {
  for (const [act, status] of [
    [say("HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n{"), 201],
    [say("HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"), 201],
    [say(""), 0],
    [say("\u0001\u0002\r\n\r\n"), 0],
    [(connection) => connection.resetAndDestroy(), 0],
  ]) {
    const result = await post((await serve(act)).url, 20_000);
    assert.deepEqual([result.status, result.timedOut, result.body.byteLength], [status, false, 0]);
    assert.ok(result.failure);
  }
  const result = await post("no url, but a secret", undefined);
  assert.ok(result.failure);
  assert.doesNotMatch(result.failure, /secret/);
  const { url, requests } = await serve(say("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"));
  const header = await post(url, 20_000, "bad name\nx\n");
  assert.deepEqual([header.status, typeof header.failure, requests], [0, "string", []]);
});
