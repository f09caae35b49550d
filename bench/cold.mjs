// How long a side takes from the start of its process to its first token.

import { mkdirSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Connection } from "./load/connection.mjs";
import { gets } from "./load/shape.mjs";
import { cpuSeconds, spawnServer } from "./processes.mjs";

/** @import { Sample } from "./running.mjs" */
/** @import { Side } from "./sides/sides.mjs" */

/** How long it may take. */
const PATIENCE_MS = 30_000;

/**
 * @param {Side} side
 * @param {string} folder what it was built into
 * @param {string} dir for its storage; a new one
 * @param {{ own: number, ably: number }} ports
 * @returns {Promise<Sample>}
 */
export async function coldStart(side, folder, dir, ports) {
  mkdirSync(dir, { recursive: true });
  const start = side.start(folder, dir, ports);
  const [request = ""] = gets("token", 1, 1, "cold").heads;
  const began = performance.now();
  const server = spawnServer(start);
  try {
    /** @type {Connection | undefined} */
    let connection;
    while (connection === undefined) {
      if (server.hasEnded() || performance.now() - began > PATIENCE_MS)
        throw new Error(`${side.name} does not start: ${server.complaints()}`);
      connection = await Connection.open(ports.own).catch(() => undefined);
      if (connection === undefined) await delay(1);
    }
    const up = performance.now();
    const { status } = await connection.send(request);
    const ended = performance.now();
    if (status !== 200) throw new Error(`${side.name} answers a first request with ${status}`);
    const cpu = cpuSeconds(server.pid) * 1e6;
    connection.close();
    return { cpu, ms: ended - began, firstMs: ended - up };
  } finally {
    await server.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}
