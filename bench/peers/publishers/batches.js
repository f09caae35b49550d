// What a publisher does: it gathers the messages of many jobs, and sends them to Ably in one request. It stores nothing: a job that hears
// nothing hands the same message over again, under the same id.

/** @import { Env, Outcome } from "../shared/types.js" */
import { ablyOf, messagesPath, NO_ANSWER } from "../shared/publisher.js";

export const PUBLISHERS = 4;
const REQUESTS_PER_SECOND = 50;
/** A request that has no answer by then is given up. */
const PATIENCE_MS = 12_000;
const IN_FLIGHT_MAX = 4;
/** Ably's limits for a batch. */
const SPECS_MAX = 100;
const BYTES_MAX = 2 * 1024 * 1024;
/** How much may wait; messages are ASCII nearly always, so their length is their size. */
const QUEUE_MAX = 8 * 1024 * 1024;
/** The job's own backoff says when it comes again. @type {Outcome} */
const BUSY = { status: 503, code: 0, retryAfterMs: 0 };
const TAKEN = { status: 201, code: 0, retryAfterMs: 0 };

/**
 * @typedef {object} Waiting
 * @property {string} channel
 * @property {string} spec of the message, as it stands in a batch
 * @property {string} message
 * @property {boolean} isAlone whether it goes by itself, since a batch with it was refused as a whole
 * @property {(outcome: Outcome) => void} resolve
 */

export class Batches {
  #post;
  #windowMs;
  /** What waits, by channel, in the order in which it came. @type {Map<string, Waiting>} */
  #queue = new Map();
  #queued = 0;
  /** The channels of which a message is on its way: none is in two requests. */
  #flying = new Set();
  #requests = 0;
  #lastSent = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Env} env */
  constructor(env) {
    this.#post = ablyOf(env);
    const publishers = Number(env.ABLY_PUBLISHERS ?? PUBLISHERS);
    this.#windowMs = (1_000 * publishers) / Number(env.ABLY_REQUESTS_PER_SECOND ?? REQUESTS_PER_SECOND);
  }

  /**
   * @param {string} channel
   * @param {string} message
   * @returns {Promise<Outcome>}
   */
  publish(channel, message) {
    return new Promise((resolve) => {
      const spec = `{"channels":["${channel}"],"messages":[${message}]}`;
      this.#drop(channel);
      if (this.#queued + spec.length > QUEUE_MAX) return resolve(BUSY);
      this.#add({ channel, spec, message, isAlone: false, resolve });
      this.#pump();
    });
  }

  /** @param {Waiting} waiting */
  #add(waiting) {
    this.#queue.set(waiting.channel, waiting);
    this.#queued += waiting.spec.length;
  }

  /**
   * Takes out what a job has waiting: it has given that up, where it hands something over anew.
   * @param {string} channel
   */
  #drop(channel) {
    const waiting = this.#queue.get(channel);
    if (waiting === undefined) return;
    this.#queue.delete(channel);
    this.#queued -= waiting.spec.length;
    waiting.resolve(NO_ANSWER);
  }

  /** Sends what may be sent now: at once after a pause, else when the window since the last request is over. */
  #pump() {
    while (this.#queue.size > 0 && this.#requests < IN_FLIGHT_MAX && this.#timer === undefined) {
      const wait = this.#lastSent + this.#windowMs - Date.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#pump();
        }, wait);
        return;
      }
      const batch = this.#next();
      if (batch.length === 0) return;
      this.#lastSent = Date.now();
      this.#send(batch);
    }
  }

  /** What goes into the next request. */
  #next() {
    /** @type {Waiting[]} */
    const batch = [];
    let size = 2;
    for (const waiting of this.#queue.values()) {
      if (this.#flying.has(waiting.channel)) continue;
      const isFull = batch.length === SPECS_MAX || size + waiting.spec.length >= BYTES_MAX || waiting.isAlone;
      if (batch.length > 0 && isFull) break;
      batch.push(waiting);
      size += waiting.spec.length + 1;
      if (waiting.isAlone) break;
    }
    for (const { channel, spec } of batch) {
      this.#queue.delete(channel);
      this.#queued -= spec.length;
      this.#flying.add(channel);
    }
    return batch;
  }

  /** @param {Waiting[]} batch not empty */
  async #send(batch) {
    this.#requests += 1;
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const [first] = batch;
    const isSingle = first !== undefined && batch.length === 1;
    const { text, ...outcome } = isSingle
      ? await this.#post(messagesPath(first.channel), first.message, signal)
      : await this.#post("/messages", `[${batch.map(({ spec }) => spec).join(",")}]`, signal);
    this.#requests -= 1;
    for (const { channel } of batch) this.#flying.delete(channel);
    const isTaken = outcome.status >= 200 && outcome.status < 300;
    if (isTaken && !isSingle) {
      const results = resultsIn(text);
      batch.forEach((waiting, place) => waiting.resolve(outcomeOf(results[place], waiting.channel)));
    } else if (!isSingle && (outcome.status === 400 || outcome.status === 413)) this.#sendSingly(batch);
    else for (const { resolve } of batch) resolve(outcome);
    this.#pump();
  }

  /**
   * Which of them a refusal of all is about only their own requests tell.
   * @param {Waiting[]} batch
   */
  #sendSingly(batch) {
    for (const waiting of batch) {
      if (this.#queue.has(waiting.channel)) waiting.resolve(NO_ANSWER);
      else this.#add({ ...waiting, isAlone: true });
    }
  }
}

/** @param {string} text */
function resultsIn(text) {
  try {
    const results = JSON.parse(text);
    return Array.isArray(results) ? results : [];
  } catch {
    return [];
  }
}

/**
 * What became of a message, by the result at its place.
 * @param {any} result
 * @param {string} channel
 * @returns {Outcome}
 */
function outcomeOf(result, channel) {
  const own = result?.results?.[0];
  if (own?.channel !== channel) return NO_ANSWER;
  if (own.error === undefined) return TAKEN;
  return { status: Number(own.error.statusCode) || 0, code: Number(own.error.code) || 0, retryAfterMs: 0 };
}
