// Starts the stub of Ably, and asks it.

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** @typedef {{ messages: number, fixes: number, epoch: number, last: number, wrong: string | undefined }} Seen what one channel got */
/** @typedef {{ requests: number, messages: number, fixes: number }} Totals */
/** @typedef {ReturnType<typeof startStub>} StubProcess */

export function startStub() {
  const child = fork(fileURLToPath(new URL("ably.mjs", import.meta.url)), { serialization: "advanced" });
  /** @type {Map<number, (value: any) => void>} */
  const waiting = new Map();
  let asked = 0;
  child.on("message", (/** @type {{ id: number, value: unknown }} */ { id, value }) => {
    waiting.get(id)?.(value);
    waiting.delete(id);
  });
  /** @param {string} side @param {string} what @param {unknown} [argument] @returns {Promise<any>} */
  const ask = (side, what, argument) =>
    new Promise((resolve, reject) => {
      if (!child.connected) return reject(new Error("the stub of Ably has ended"));
      waiting.set((asked += 1), resolve);
      child.send({ id: asked, side, what, argument });
    });
  return {
    /** A port for a side; what came at an earlier one is forgotten. @type {(side: string) => Promise<number>} */
    port: (side) => ask(side, "port"),
    /** Lets one publish of so many fail; 0 for none. @type {(side: string, oneIn: number) => Promise<void>} */
    failOneIn: (side, oneIn) => ask(side, "failOneIn", oneIn),
    /** @type {(side: string) => Promise<number>} */
    requests: (side) => ask(side, "requests"),
    /** @type {(side: string) => Promise<Totals>} */
    totals: (side) => ask(side, "totals"),
    /** @type {(side: string) => Promise<Record<string, Seen>>} */
    channels: (side) => ask(side, "channels"),
    stop: () => child.disconnect(),
  };
}
