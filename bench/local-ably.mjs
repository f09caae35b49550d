// `npm run bench:local-ably`: 1,000 connections to a local Ably in the build that `npm start` uses, then messages at several
// rates, then a consumer that does not read. It prints what was delivered and how late, and what that cost the server: its CPU
// time, in cores, and its memory. The generator shares the machine with it, so the delays are an upper bound.

import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { Parts } from "../scripts/dev/parts.mjs";
import { LOOPBACK } from "../scripts/dev/ports.mjs";
import { environment } from "../scripts/setup/environment.mjs";
import { buildLocalAbly } from "../scripts/setup/local-ably.mjs";
import { Failure, script } from "../scripts/setup/steps.mjs";

const CONNECTIONS = 1_000;
/** How many of them publish. */
const PUBLISHERS = 10;
const SECONDS = 6;
/** How often publishers wake up: they then publish whatever is due. */
const TICK_MS = 10;
/** How long anything may take that is awaited. */
const PATIENCE_MS = 20_000;
/** The kernel counts CPU time in these. */
const TICKS_PER_SECOND = 100;
const KEY = "bench0.bench0:secret-for-a-benchmark";

/** The actions of the protocol that are used here. */
const ACK = 1;
const CONNECTED = 4;
const ATTACH = 10;
const ATTACHED = 11;
const MESSAGE = 15;

/** What one client has: a socket that notes how late each message is. */
class Client {
  /** @type {number[]} how late the messages were that came since this was emptied, in ms */
  delays = [];
  acked = 0;
  closed = false;
  #serial = 0;
  #attached = new Set();
  #socket;

  /** @param {number} port */
  constructor(port) {
    const url = `ws://${LOOPBACK}:${port}/?key=${encodeURIComponent(KEY)}&format=json&v=5`;
    this.#socket = new WebSocket(url, { perMessageDeflate: false });
    this.#socket.on("message", (data) => this.#receive(String(data)));
    this.#socket.on("close", () => (this.closed = true));
    this.#socket.on("error", () => (this.closed = true));
    this.connected = false;
  }

  /** @param {string} channel */
  attach(channel) {
    this.#send({ action: ATTACH, channel });
  }

  /** @param {string} channel */
  isAttached(channel) {
    return this.#attached.has(channel);
  }

  /**
   * @param {string} channel
   * @param {string} [padding]
   */
  publish(channel, padding = "") {
    const messages = [{ data: `${performance.now()} ${padding}` }];
    this.#send({ action: MESSAGE, channel, msgSerial: this.#serial++, messages });
  }

  /** How many of its publishes have no answer yet. */
  get unanswered() {
    return this.#serial - this.acked;
  }

  /** Stops to read; TCP does the rest. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  end() {
    this.#socket.terminate();
  }

  /** @param {object} frame */
  #send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  /** @param {string} text */
  #receive(text) {
    const frame = JSON.parse(text);
    if (frame.action === MESSAGE) {
      const now = performance.now();
      for (const { data } of frame.messages) this.delays.push(now - Number.parseFloat(data));
    } else if (frame.action === ACK) this.acked += frame.count;
    else if (frame.action === ATTACHED) this.#attached.add(frame.channel);
    else if (frame.action === CONNECTED) this.connected = true;
  }
}

await script(async () => {
  const binary = await buildLocalAbly();
  const parts = new Parts();
  /** @type {Client[]} */
  const clients = [];
  try {
    const { port, pid } = await localAbly(parts, binary);
    await Promise.race([bench(port, pid, clients), parts.ended]);
  } finally {
    for (const client of clients) client.end();
    await parts.stop();
  }
});

/**
 * @param {number} port the server's
 * @param {number} pid the server's
 * @param {Client[]} clients where the clients go
 */
async function bench(port, pid, clients) {
  const empty = memory(pid).now;
  const [start, before] = [performance.now(), cpuSeconds(pid)];
  for (let count = 0; count < CONNECTIONS; count += 1) clients.push(new Client(port));
  await until("all are connected", () => clients.every((client) => client.connected));
  const own = new Map(clients.map((client, index) => [client, `own-${index}`]));
  for (const [client, channel] of own) {
    client.attach("all");
    client.attach(channel);
  }
  await until("all are attached", () => [...own].every(([client, channel]) => client.isAttached("all") && client.isAttached(channel)));
  const took = performance.now() - start;
  console.log(
    `${CONNECTIONS} connections with two channels each in ${(took / 1000).toFixed(1)} s, ` +
      `${(cpuSeconds(pid) - before).toFixed(2)} s of CPU time; ` +
      `memory ${empty.toFixed(0)} MiB before, ${memory(pid).now.toFixed(0)} MiB after\n`,
  );

  const publishers = clients.slice(0, PUBLISHERS);
  const ownChannels = [...own.values()];
  let next = 0;
  const toAll = (/** @type {number} */ index) => publishers[index % PUBLISHERS]?.publish("all");
  const toOne = (/** @type {number} */ index) => publishers[index % PUBLISHERS]?.publish(ownChannels[next++ % CONNECTIONS] ?? "");

  console.log(row(["", "published/s", "delivered/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "cores", "MiB"]));
  await phase("1 channel, 1,000 subscribers", 2, CONNECTIONS, toAll);
  await phase("1,000 channels, 1 subscriber each", 2_000, 1, toOne);
  await phase("1 channel, 1,000 subscribers", 20, CONNECTIONS, toAll);

  const [slow, peer, flood] = [new Client(port), new Client(port), new Client(port)];
  const three = [slow, peer, flood];
  clients.push(...three);
  await until("three more are connected", () => three.every((client) => client.connected));
  slow.attach("flood");
  peer.attach("flood");
  await until("both are attached", () => slow.isAttached("flood") && peer.isAttached("flood"));
  slow.pause();
  let flooding = true;
  const cut = (async () => {
    const start = performance.now();
    while ((await subscribers(port, "flood")) > 1) {
      if (performance.now() - start > PATIENCE_MS) throw new Failure("The slow consumer was not cut.");
      await delay(50);
    }
    flooding = false;
    return { seconds: (performance.now() - start) / 1000, peer: peer.delays.length };
  })();
  const padding = "x".repeat(32 << 10);
  const flooder = setInterval(() => flooding && flood.unanswered < 20 && flood.publish("flood", padding), 5);
  try {
    await phase("the same as the first, one consumer stuck", 2, CONNECTIONS, toAll);
    const { seconds, peer: received } = await cut;
    slow.resume();
    await until("the slow consumer knows", () => slow.closed);
    await until("its peer has all", () => peer.delays.length === flood.acked && flood.unanswered === 0);
    console.log(
      `\nA consumer that did not read was cut after ${seconds.toFixed(1)} s; its peer on the same channel had ` +
        `${received} messages of 32 KiB by then, and all ${flood.acked} in the end.`,
    );
  } finally {
    clearInterval(flooder);
  }
  const others = clients.filter((client) => client.closed && client !== slow).length;
  if (others > 0) throw new Failure(`${others} others were cut, too.`);
  console.log(`No other connection was cut. Memory: ${memory(pid).now.toFixed(0)} MiB now, ${memory(pid).peak.toFixed(0)} MiB at most.`);

  /**
   * Publishes at a rate, and prints what came of it. Fails where a message is lost or doubled.
   * @param {string} name
   * @param {number} rate messages per second
   * @param {number} fanOut how many receive each
   * @param {(index: number) => void} publish
   */
  async function phase(name, rate, fanOut, publish) {
    const all = clients.slice(0, CONNECTIONS);
    for (const client of all) client.delays = [];
    const [start, before] = [performance.now(), cpuSeconds(pid)];
    let sent = 0;
    while (sent < rate * SECONDS) {
      const due = Math.min(rate * SECONDS, Math.ceil(((performance.now() - start) / 1000) * rate));
      for (; sent < due; sent += 1) publish(sent);
      await delay(TICK_MS);
    }
    const received = () => all.reduce((sum, client) => sum + client.delays.length, 0);
    const quiet = () => publishers.every((client) => client.unanswered === 0);
    await until("all messages have come", () => received() >= sent * fanOut && quiet());
    const seconds = (performance.now() - start) / 1000;
    const cores = (cpuSeconds(pid) - before) / seconds;
    if (received() !== sent * fanOut) throw new Failure(`${received()} messages came instead of ${sent * fanOut}.`);
    const delays = all.flatMap((client) => client.delays).sort((a, b) => a - b);
    const percentile = (/** @type {number} */ share) => (delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? NaN).toFixed(1);
    const rates = [sent / seconds, received() / seconds].map((value) => value.toFixed(0));
    console.log(row([name, ...rates, ...[0.5, 0.95, 0.99, 1].map(percentile), cores.toFixed(2), memory(pid).now.toFixed(0)]));
  }
}

/**
 * Starts the local Ably.
 * @param {Parts} parts
 * @param {string} binary
 * @returns {Promise<{ port: number, pid: number }>}
 */
async function localAbly(parts, binary) {
  /** @type {(port: number) => void} */
  let listening = () => {};
  const port = new Promise((/** @type {(port: number) => void} */ resolve) => (listening = resolve));
  const env = { ...environment(), LOCAL_ABLY_KEY: KEY, LOCAL_ABLY_CONTROL_SECRET: "not-used-by-the-benchmark" };
  const { pid } = parts.start("The local Ably", binary, ["--port", "0"], env, (line) => {
    if (line.startsWith("{")) listening(JSON.parse(line).port);
  });
  return { port: await Promise.race([port, parts.ended]), pid: pid ?? 0 };
}

/**
 * How many are subscribed to a channel.
 * @param {number} port
 * @param {string} channel
 * @returns {Promise<number>}
 */
async function subscribers(port, channel) {
  const authorization = `Basic ${Buffer.from(KEY).toString("base64")}`;
  const answer = await fetch(`http://${LOOPBACK}:${port}/channels/${channel}`, { headers: { authorization } });
  return (await answer.json()).status.occupancy.metrics.subscribers;
}

/**
 * @param {string} what
 * @param {() => boolean} condition
 */
async function until(what, condition) {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Failure(`Waited ${PATIENCE_MS / 1000} s in vain until ${what}.`);
    await delay(TICK_MS);
  }
}

/**
 * The CPU time of a process so far, user and system.
 * @param {number} pid
 */
function cpuSeconds(pid) {
  // The program's name, in parentheses, may hold blanks; user and system time are the 12th and 13th field after it.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * The resident memory of a process, in MiB.
 * @param {number} pid
 */
function memory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mebibytes = (/** @type {string} */ name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
  return { now: mebibytes("VmRSS"), peak: mebibytes("VmHWM") };
}

/** @param {string[]} cells */
function row([name = "", ...cells]) {
  return name.padEnd(42) + cells.map((cell) => cell.padStart(12)).join("");
}
