// What was published, and whether that is what a job may publish: on each channel every fix once and in order, and after a publish that
// failed the same message again, byte for byte, whether alone or in a batch.

import { BATCH_PATH, specsIn } from "./batch.mjs";

/**
 * @typedef {"taken" | "refused" | "reset" | "lost"} Verdict what became of a publish; a `lost` one Ably has, though nobody was told
 *
 * @typedef {object} Channel
 * @property {number} messages that Ably has
 * @property {number} fixes in them
 * @property {number} epoch
 * @property {number} last the last seq
 * @property {string | undefined} wrong the first thing that was
 * @property {Buffer | undefined} again what has failed, and must come again
 * @property {boolean} has whether Ably has that already
 */

/** So many bytes are kept unread before they are read, a measurement or not. */
const UNREAD_MAX = 128 * 1024 * 1024;
/** Where a batch that cannot be read is told of: of which jobs it is nobody knows. */
const UNREADABLE = "(batch)";

export class Ledger {
  requests = 0;
  /** @type {{ path: string, body: Buffer, verdict: Verdict, refused: number | undefined }[]} */
  #unread = [];
  #unreadBytes = 0;
  /** @type {Map<string, Channel>} */
  #channels = new Map();

  /**
   * @param {string} path
   * @param {Buffer} body
   * @param {Verdict} verdict
   * @param {number} [refused] the place of the one spec of a batch that was refused
   */
  note(path, body, verdict, refused) {
    this.requests += 1;
    // A copy: what it is part of is some other messages' too.
    this.#unread.push({ path, body: Buffer.from(body), verdict, refused });
    this.#unreadBytes += body.length;
    if (this.#unreadBytes > UNREAD_MAX) this.#read();
  }

  totals() {
    this.#read();
    const all = [...this.#channels.values()];
    const sum = (/** @type {(channel: Channel) => number} */ of) => all.reduce((total, channel) => total + of(channel), 0);
    return { requests: this.requests, messages: sum(({ messages }) => messages), fixes: sum(({ fixes }) => fixes) };
  }

  /** By job. */
  channels() {
    this.#read();
    const entries = [...this.#channels].map(([job, { messages, fixes, epoch, last, wrong, again }]) => {
      const missing = again === undefined ? undefined : "a message that had failed did not come again";
      return /** @type {const} */ ([job, { messages, fixes, epoch, last, wrong: wrong ?? missing }]);
    });
    return Object.fromEntries(entries);
  }

  #read() {
    const unread = this.#unread;
    this.#unread = [];
    this.#unreadBytes = 0;
    for (const { path, body, verdict, refused } of unread) {
      if (path !== BATCH_PATH) {
        this.#take(jobOf(decodeURIComponent(path.split("/")[2] ?? "")), body, verdict);
        continue;
      }
      try {
        specsIn(body).forEach(({ channel, message }, place) => this.#take(jobOf(channel), message, place === refused ? "refused" : verdict));
      } catch (error) {
        blame(this.#channel(UNREADABLE), error, body);
      }
    }
  }

  /**
   * @param {string} job
   * @param {Buffer} body
   * @param {Verdict} verdict
   */
  #take(job, body, verdict) {
    const channel = this.#channel(job);
    try {
      take(channel, body, verdict);
    } catch (error) {
      blame(channel, error, body);
    }
  }

  /** @param {string} job */
  #channel(job) {
    let channel = this.#channels.get(job);
    if (channel === undefined)
      this.#channels.set(job, (channel = { messages: 0, fixes: 0, epoch: 0, last: 0, wrong: undefined, again: undefined, has: false }));
    return channel;
  }
}

/**
 * @param {Channel} channel
 * @param {unknown} error
 * @param {Buffer} body
 */
function blame(channel, error, body) {
  channel.wrong ??= `${error instanceof Error ? error.message : error}: ${body.toString("utf8", 0, 400)}`;
}

/**
 * @param {Channel} channel
 * @param {Buffer} body
 * @param {Verdict} verdict
 */
function take(channel, body, verdict) {
  if (channel.again !== undefined && !channel.again.equals(body)) throw new Error("after a publish that failed something else came");
  // Ably knows it by its id, and drops it.
  const isDouble = channel.again !== undefined && channel.has;
  const isKept = verdict === "taken" || verdict === "lost";
  channel.has = verdict === "taken" ? false : isDouble || verdict === "lost";
  channel.again = verdict === "taken" ? undefined : body;
  if (isDouble || !isKept) return;
  const message = JSON.parse(body.toString("utf8"));
  const sent = Array.isArray(message) ? message : [message];
  for (const { data, id } of sent) follow(channel, typeof data === "string" ? JSON.parse(data) : data, id);
  channel.messages += sent.length;
}

/**
 * Takes a message that a channel got; throws where it is not the one that must come next.
 * @param {{ epoch: number, last: number, fixes: number }} channel
 * @param {any} data
 * @param {string | undefined} id
 */
export function follow(channel, data, id) {
  // What the tutorial publishes has no seq: it can only be counted.
  if (data.seq === undefined) return void (channel.fixes += 1);
  if (id === undefined) throw new Error("a message has no id");
  if (channel.epoch === 0) channel.epoch = data.epoch;
  if (data.epoch !== channel.epoch) throw new Error("the epoch has changed");
  if (data.fromSeq !== channel.last + 1) throw new Error(`after seq ${channel.last} came ${data.fromSeq} to ${data.seq}`);
  const backfill = (data.backfill ?? []).map((/** @type {number[]} */ [seq]) => seq);
  const head = data.lat === undefined ? [] : [data.headSeq ?? data.seq];
  const seqs = new Set([...backfill, ...head]);
  const size = data.seq - data.fromSeq + 1;
  if (backfill.length + head.length !== size || seqs.size !== size) throw new Error("a message does not hold what it says it stands for");
  for (const seq of seqs) if (seq < data.fromSeq || seq > data.seq) throw new Error("a message holds a fix that it does not stand for");
  channel.last = data.seq;
  channel.fixes += size;
}

/** @param {string} name of its channel */
function jobOf(name) {
  return name.slice(name.lastIndexOf(":") + 1);
}
