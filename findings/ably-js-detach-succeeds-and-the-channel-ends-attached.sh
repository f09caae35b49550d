#!/usr/bin/env bash
# ably-js 2.28.0: attach(), detach(), attach(), detach() in one tick, as React's StrictMode makes of a component that mounts and goes at
# once. The last detach() succeeds, and then the channel is attached, here and at the server, and stays so.
#
# Expected: it ends as the last call asked, detached, as it does for one pair of calls.
# Seen:     the client takes the answers to the first pair for those to the second, and an ATTACHED that comes after a successful
#           detach() brings the channel back. The server gets a last ATTACH, and nobody's DETACH.
# What to do: end an attach that is under way before detach() begins.
#
# The server here is a stub of the protocol: it answers each ATTACH and DETACH, in order, after 20 ms.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --save-exact ably@2.28.0 ws@8.23.0
cat >finding.mjs <<'JS'
import { readFileSync } from "node:fs";
import { Realtime } from "ably";
import { WebSocketServer } from "ws";

const CONNECTED = 4, CLOSE = 7, CLOSED = 8, ATTACH = 10, ATTACHED = 11, DETACH = 12, DETACHED = 13;
/** Nothing more comes when it has been quiet for so many answers' time. */
const QUIET_MS = 500;

const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
await new Promise((resolve) => server.once("listening", resolve));
const attached = new Set();
let heard = [];
let last = 0;
server.on("connection", (socket) => {
  const answer = (frame) => setTimeout(() => socket.send(JSON.stringify(frame)), 20);
  answer({ action: CONNECTED, connectionId: "c", connectionDetails: { connectionKey: "k", connectionStateTtl: 120_000, maxIdleInterval: 15_000, maxMessageSize: 65_536 } });
  socket.on("message", (text) => {
    const { action, channel } = JSON.parse(text);
    last = Date.now();
    if (action === ATTACH) {
      heard.push("ATTACH");
      attached.add(channel);
      answer({ action: ATTACHED, channel, channelSerial: "1", flags: 0 });
    } else if (action === DETACH) {
      heard.push("DETACH");
      attached.delete(channel);
      answer({ action: DETACHED, channel });
    } else if (action === CLOSE) {
      answer({ action: CLOSED });
    }
  });
});

const client = new Realtime({ key: "AbCdEf.key1:secret", endpoint: "127.0.0.1", port: server.address().port, tls: false, useBinaryProtocol: false, logLevel: 0 });
await client.connection.whenState("connected");

/** Calls these of a new channel in one tick, and waits until all is quiet. */
async function call(name, methods) {
  const channel = client.channels.get(name);
  const states = [];
  channel.on(({ current }) => {
    states.push(current);
    last = Date.now();
  });
  heard = [];
  last = Date.now();
  const results = await Promise.all(methods.map((method) => channel[method]().then(() => "succeeded", ({ code }) => `failed (${code})`)));
  while (Date.now() - last < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, 50));
  console.log(methods.map((method, at) => `${method}() ${results[at]}`).join(", "));
  console.log(`  states: ${states.join(", ")}`);
  console.log(`  the server heard: ${heard.join(", ")}`);
  console.log(`  in the end: ${channel.state} in the client, ${attached.has(name) ? "attached" : "detached"} at the server`);
  return { detached: results.at(-1), client: channel.state, server: attached.has(name) };
}

console.log(`ably ${JSON.parse(readFileSync("node_modules/ably/package.json", "utf8")).version}, Node ${process.version}`);
const pair = await call("one-pair", ["attach", "detach"]);
const pairs = await call("two-pairs", ["attach", "detach", "attach", "detach"]);
client.close();
await client.connection.whenState("closed");
server.close();

const asExpected = pair.client === "detached" && !pair.server;
const asFound = pairs.detached === "succeeded" && pairs.client === "attached" && pairs.server;
console.log(asExpected && asFound ? "as found" : "CHANGED: it is no longer as found");
process.exit(asExpected && asFound ? 0 : 1);
JS
node finding.mjs
