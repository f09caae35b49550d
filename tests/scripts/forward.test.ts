import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { forward } from "../../scripts/dev/forward.mjs";
import { freePort, LOOPBACK } from "../../scripts/dev/ports.mjs";

/** A server behind a forward, and clients of it. Both close what the other has ended, unless they may go on. */
async function behind(t: TestContext, serve: (socket: Socket) => void, allowHalfOpen = false) {
  const server = createServer({ allowHalfOpen }, serve).listen(0, LOOPBACK);
  await once(server, "listening");
  const stop = new AbortController();
  t.after(() => (stop.abort(), server.close()));
  const from = { host: LOOPBACK, port: await freePort(20_000, LOOPBACK) };
  await forward(from, (server.address() as AddressInfo).port, stop.signal);
  return { server, stop, client: () => connect({ ...from, allowHalfOpen }) };
}

test("bytes go both ways, and an end that is said to one side is said to the other", async (t) => {
  const said: string[] = [];
  const { client } = await behind(t, (socket) => {
    socket.on("data", (data) => said.push(data.toString()));
    // What a client says may end before it has its answer.
    socket.on("end", () => socket.end(said.join("").toUpperCase()));
  }, true);
  const socket = client();
  socket.end("post a fix");
  let answer = "";
  for await (const text of socket.setEncoding("utf8")) answer += text;
  assert.equal(answer, "POST A FIX");
});

test("a connection that breaks on one side breaks on the other, and the next one works", async (t) => {
  const sockets: Socket[] = [];
  const { client, server } = await behind(t, (socket) => void sockets.push(socket.on("error", () => {}).resume()));
  for (const breaks of ["far", "near"] as const) {
    const near = client().on("error", () => {}).resume();
    await once(server, "connection");
    const far = sockets.at(-1)!;
    const [one, other] = breaks === "far" ? [far, near] : [near, far];
    const closed = once(other, "close");
    one.resetAndDestroy();
    await closed;
  }
});

test("where nobody listens behind it, a connection is closed", async (t) => {
  const { client, server } = await behind(t, () => {});
  server.close();
  await once(client().on("error", () => {}).resume(), "close");
});

test("when it is told to stop it closes what is open, and takes no more", async (t) => {
  const { client, server, stop } = await behind(t, (socket) => void socket.on("error", () => {}).resume());
  const near = client().on("error", () => {}).resume();
  const [far] = (await once(server, "connection")) as [Socket];
  const closed = Promise.all([once(near, "close"), once(far, "close")]);
  stop.abort();
  await closed;
  const [error] = await once(client(), "error");
  assert.equal(error.code, "ECONNREFUSED");
});
