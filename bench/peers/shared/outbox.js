// What Ably has not confirmed. One message is in flight at a time; while it flies rows gather, and leave as one. Where a message ends is
// written down before it leaves, so that whoever sends it again sends the same bytes under the same id.

/** @import { Outcome, Position, Publish, Row } from "./types.js" */
/** @import { Log } from "./log.js" */
import { MESSAGE_MAX, messageOf } from "./message.js";

/** A publish that has no answer by then is given up, and sent again. */
const PATIENCE_MS = 15_000;

/**
 * @typedef {object} Options
 * @property {string} jobId
 * @property {number} epoch
 * @property {Log} log
 * @property {Publish} publish
 * @property {Position} position
 * @property {number} spacing how far apart publishes are at least, in ms
 */

export class Outbox {
  /** @type {Row[]} what waits, in order */
  #rows = [];
  /** How many of the rows the message in flight stands for. */
  #together = 0;
  /** @type {AbortController | undefined} */
  #flight;
  #flightSince = 0;
  #failures = 0;
  #notBefore = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #channel;
  #options;

  /**
   * @param {Options} options
   * @param {Row[]} rows what waits
   */
  constructor(options, rows) {
    this.#options = options;
    this.#channel = `dispatch:job:${options.jobId}`;
    this.position = options.position;
    this.saved = options.position;
    this.#rows = rows;
    this.waiting = rows.reduce((sum, row) => sum + row.fixes.length, 0);
  }

  /**
   * The position that goes on the row that ends at `seq`: where that one leaves at once, by itself, it says so, and no other write is
   * needed before it leaves.
   * @param {number} seq
   * @param {number} now
   * @returns {Position}
   */
  positionWith(seq, now) {
    const isFree = this.#flight === undefined && this.#rows.length === 0 && this.#notBefore <= now;
    return { sent: this.position.sent, infl: isFree ? seq : this.position.infl };
  }

  /**
   * @param {Row} row
   * @param {Position} position what was written with it
   */
  push(row, position) {
    this.#rows.push(row);
    this.waiting += row.fixes.length;
    this.position = position;
    this.saved = position;
  }

  /** Sends what is to be sent now. */
  pump() {
    const first = this.#rows[0];
    if (this.#flight !== undefined || first === undefined) return;
    const now = Date.now();
    if (now < this.#notBefore) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.pump();
      }, this.#notBefore - now);
      return;
    }
    const { jobId, epoch, log, publish, spacing } = this.#options;
    const end = this.position.infl ?? this.#endOfNext();
    this.position = { sent: this.position.sent, infl: end };
    if (this.saved.infl !== end || this.saved.sent !== this.position.sent) {
      log.save(this.position);
      this.saved = this.position;
    }
    let together = 1;
    while (together < this.#rows.length && /** @type {Row} */ (this.#rows[together]).seq <= end) together += 1;
    this.#together = together;
    const flight = (this.#flight = new AbortController());
    this.#flightSince = now;
    this.#notBefore = now + spacing;
    // The runtime lets no fetch out before what was written is durable.
    publish(this.#channel, messageOf(jobId, epoch, this.#rows.slice(0, together)), flight.signal).then((outcome) =>
      this.#landed(outcome, flight),
    );
  }

  /** Gives up a publish that takes too long. @param {number} now */
  watch(now) {
    if (this.#flight !== undefined && now - this.#flightSince > PATIENCE_MS) this.#flight.abort();
  }

  /** Writes down how far it has come, where that is known in memory alone. */
  settle() {
    if (this.saved.sent === this.position.sent && this.saved.infl === this.position.infl) return;
    this.#options.log.save(this.position);
    this.saved = this.position;
  }

  #endOfNext() {
    let size = 0;
    let end = 0;
    for (const row of this.#rows) {
      size += row.size;
      if (end > 0 && size > MESSAGE_MAX) break;
      end = row.seq;
    }
    return end;
  }

  /**
   * @param {Outcome} outcome
   * @param {AbortController} flight
   */
  #landed({ status, code, retryAfterMs }, flight) {
    if (this.#flight !== flight) return;
    this.#flight = undefined;
    if (status >= 200 && status < 300) {
      this.#failures = 0;
      this.#pass();
    } else if (status === 413 || (status === 400 && code >= 40000 && code <= 40099)) {
      // It is the message that is refused: it stays in the log, and those behind it go on.
      console.error(JSON.stringify({ level: "error", code: "outbox.set_aside", jobId: this.#options.jobId, status, ablyCode: code }));
      this.#pass();
      this.settle();
    } else {
      const [least, most] = status === 401 || status === 403 || status === 404 ? [1_000, 300_000] : [250, 30_000];
      const wait = Math.min(most, least * 2 ** Math.min(this.#failures, 16)) * (1 + Math.random() / 2);
      this.#failures += 1;
      this.#notBefore = Date.now() + Math.max(wait, retryAfterMs);
    }
    this.pump();
  }

  /** Goes on behind the message in flight. That it is confirmed is written with the next row, or when the job is quiet. */
  #pass() {
    const done = this.#rows.splice(0, this.#together);
    for (const row of done) this.waiting -= row.fixes.length;
    this.position = { sent: done.at(-1)?.seq ?? this.position.sent, infl: null };
  }
}
