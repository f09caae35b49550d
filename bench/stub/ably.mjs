// A stub of Ably's REST API, in a process of its own: it takes every publish at once, and keeps what it was sent to judge it later. It
// reads HTTP by itself and parses no JSON while a measurement runs, since it shares the machine with what is measured.
//
// Each side has a port of its own here, so that one stub tells them apart without reading what they say.

import { createServer } from "node:net";
import { LOOPBACK } from "../../scripts/dev/ports.mjs";
import { BATCH_PATH, channelsIn } from "./batch.mjs";
import { Ledger } from "./ledger.mjs";
import { requestsIn } from "./requests.mjs";

/** @import { Verdict } from "./ledger.mjs" */

const answer = (/** @type {string} */ status, /** @type {string} */ body) =>
  `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const TAKEN = answer(
  "201 Created",
  '{"channel":"dispatch:job:of-a-benchmark","messageId":"abcdefghij:0","serials":["01726585978590-001@abcdefghij:001"]}',
);
const ERROR = '"error":{"code":50003,"statusCode":503,"message":"made to fail","href":"https://help.ably.io/error/50003"}';
const REFUSED = answer("503 Service Unavailable", `{${ERROR}}`);

/**
 * The answer to a batch: each spec's own result, with the channel by which the side finds out which it is.
 * @param {string[]} channels
 * @param {number | undefined} refused the place of the spec that is refused
 */
function answerToBatch(channels, refused) {
  const results = channels.map((channel, place) =>
    place === refused
      ? `{"successCount":0,"failureCount":1,"results":[{"channel":"${channel}",${ERROR}}]}`
      : `{"successCount":1,"failureCount":0,"results":[{"channel":"${channel}","messageId":"abcdefghij:${place}","serials":["01726585978590-001@abcdefghij:001"]}]}`,
  );
  return answer("201 Created", `[${results.join(",")}]`);
}

/** The ways in which a request fails, in turn: of a batch one spec is refused alone, and Ably has what it was sent after the last one only. */
const FAILURES = /** @type {const} */ (["refused", "reset", "partly", "lost"]);

class Stub {
  ledger = new Ledger();
  /** One request of so many fails; 0 for none. */
  failsOneIn = 0;
  #failures = 0;
  #requests = 0;

  /** @returns {Promise<number>} the port */
  listen() {
    const server = createServer({ noDelay: true }, (socket) => {
      const read = requestsIn((path, body) => {
        const verdict = this.#verdict();
        if (path === BATCH_PATH && (verdict === "taken" || verdict === "partly")) {
          const channels = channelsIn(body);
          const refused = verdict === "partly" ? this.#failures % channels.length : undefined;
          this.ledger.note(path, body, "taken", refused);
          return socket.write(answerToBatch(channels, refused));
        }
        // Of a single message no part can be refused.
        const whole = verdict === "partly" ? "refused" : verdict;
        this.ledger.note(path, body, whole);
        if (whole === "taken") socket.write(TAKEN);
        else if (whole === "refused") socket.write(REFUSED);
        else socket.resetAndDestroy();
      });
      socket.on("data", read);
      socket.on("error", () => {});
    });
    return new Promise((resolve) => {
      server.listen(0, LOOPBACK, () => resolve(/** @type {import("node:net").AddressInfo} */ (server.address()).port));
    });
  }

  /** @returns {Verdict | "partly"} */
  #verdict() {
    this.#requests += 1;
    if (this.failsOneIn === 0 || this.#requests % this.failsOneIn !== 0) return "taken";
    this.#failures += 1;
    return FAILURES[this.#failures % FAILURES.length] ?? "refused";
  }
}

/** @type {Map<string, Stub>} */
const stubs = new Map();

/** What the harness asks for. @type {Record<string, (stub: Stub, argument: any) => unknown>} */
const ANSWERS = {
  failOneIn: (stub, oneIn) => void (stub.failsOneIn = oneIn),
  requests: (stub) => stub.ledger.requests,
  /** Reads what has come since the last time, and tells the sums. */
  totals: (stub) => stub.ledger.totals(),
  /** What each job's channel has got. */
  channels: (stub) => stub.ledger.channels(),
  forget: (stub) => void (stub.ledger = new Ledger()),
};

process.on("message", async (/** @type {{ id: number, side: string, what: string, argument: unknown }} */ { id, side, what, argument }) => {
  let stub = stubs.get(side);
  if (what === "port") {
    stubs.set(side, (stub = new Stub()));
    return process.send?.({ id, value: await stub.listen() });
  }
  process.send?.({ id, value: stub && ANSWERS[what]?.(stub, argument) });
});
process.on("disconnect", () => process.exit());
