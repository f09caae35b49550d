// The way from the network to the service. At the address that Wrangler is given it opens a second, random port as well: so it
// is given loopback, and this alone listens to the network.

import { once } from "node:events";
import { connect, createServer } from "node:net";
import { addAbortSignal, pipeline } from "node:stream";
import { LOOPBACK } from "./ports.mjs";

/**
 * Passes connections on to a port of this machine, until it is told to stop.
 * @param {{ host: string, port: number }} from
 * @param {number} to
 * @param {AbortSignal} stopping
 */
export async function forward(from, to, stopping) {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: LOOPBACK, port: to, allowHalfOpen: true });
    // A client that stays connected must not keep this process from ending.
    addAbortSignal(stopping, near);
    for (const [one, other] of /** @type {const} */ ([[near, far], [far, near]])) {
      // An end that breaks breaks the other, which is all that there is to do about it.
      pipeline(one, other, () => {});
      one.on("error", () => {});
    }
  });
  server.listen({ ...from, signal: stopping });
  await once(server, "listening");
}
