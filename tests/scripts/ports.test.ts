import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { test } from "node:test";
import { freePort, listenAddress, LOOPBACK, portFrom } from "../../scripts/dev/ports.mjs";

test("a port that somebody listens on, and one that is promised, are passed over", async () => {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const next = await freePort(port, LOOPBACK);
    assert.ok(next > port);
    assert.ok((await freePort(port, LOOPBACK, [next])) > next);
  } finally {
    server.close();
  }
});

test("a port of a name is free where it is at all of its addresses", async () => {
  const addresses = await lookup("localhost", { all: true });
  for (const { address } of addresses) {
    const server = createServer().listen(0, address);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    assert.ok((await freePort(port, "localhost")) > port, address);
    server.close();
  }
});

test("a port is free again when its listener is gone", async () => {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  assert.equal(await freePort(port, LOOPBACK), port);
});

test("PORT is a number of a port or nothing", () => {
  assert.equal(portFrom(undefined, 8787), 8787);
  assert.equal(portFrom("", 8787), 8787);
  assert.equal(portFrom("9000", 8787), 9000);
  for (const text of ["0", "65536", "-1", "80x", "8787.5", " 1"]) {
    assert.throws(() => portFrom(text, 8787), /PORT is .* and a port is a number/, text);
  }
});

test("HOST is an address or the name that some shells put there, which is no wish to be reachable", () => {
  assert.equal(listenAddress("0.0.0.0"), "0.0.0.0");
  assert.equal(listenAddress("192.168.1.2"), "192.168.1.2");
  for (const text of [undefined, "", "my-laptop", "x86_64-linux-gnu", "::"]) assert.equal(listenAddress(text), LOOPBACK);
});
