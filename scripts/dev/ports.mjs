// Ports that nobody listens on yet.

import { lookup } from "node:dns/promises";
import { createServer, isIPv4 } from "node:net";
import { Failure } from "../setup/steps.mjs";

/** The address that others in the network do not reach. */
export const LOOPBACK = "127.0.0.1";

/** How far to look. */
const TRIES = 100;

/**
 * The first free port from `wanted` on.
 * @param {number} wanted
 * @param {string} host the address to listen on; or a name, at all of whose addresses it has to be free
 * @param {number[]} [taken] ports that are promised to somebody
 */
export async function freePort(wanted, host, taken = []) {
  for (let port = wanted; port < Math.min(wanted + TRIES, 65536); port += 1) {
    if (!taken.includes(port) && (await isFree(port, host))) return port;
  }
  throw new Failure(`No port from ${wanted} on is free at ${host}.`);
}

/**
 * A port as a person writes it.
 * @param {string | undefined} text
 * @param {number} otherwise
 */
export function portFrom(text, otherwise) {
  if (text === undefined || text === "") return otherwise;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw new Failure(`PORT is "${text}", and a port is a number from 1 to 65535.`);
  return port;
}

/**
 * The address to listen at, as a person writes it. Some shells set HOST to the machine's name, which is no wish.
 * @param {string | undefined} text
 */
export function listenAddress(text) {
  return text !== undefined && isIPv4(text) ? text : LOOPBACK;
}

/**
 * @param {number} port
 * @param {string} host
 * @returns {Promise<boolean>}
 */
async function isFree(port, host) {
  const addresses = await lookup(host, { all: true });
  // A machine may have a name for an address that it does not have: nobody listens there.
  const fits = addresses.length > 1 ? ["free", "absent"] : ["free"];
  for (const { address } of addresses) if (!fits.includes(await tried(port, address))) return false;
  return true;
}

/**
 * @param {number} port
 * @param {string} address
 * @returns {Promise<"free" | "absent" | "taken">}
 */
function tried(port, address) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (/** @type {NodeJS.ErrnoException} */ { code }) => resolve(code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT" ? "absent" : "taken"));
    server.listen(port, address, () => server.close(() => resolve("free")));
  });
}
