// What the processes take while the fleet drives, and what the local Ably counts.

import { LOOPBACK } from "../../scripts/dev/ports.mjs";
import { cpuSeconds, residentMiB } from "../processes.mjs";

/** As the local Ably tells of its limits. @typedef {{ metric: string, admitted: number, refused: number }} Limit */
/** @typedef {{ at: number, mib: number, requests: number, messages: number }} Sample */

const SAMPLE_MS = 1_000;
const REQUESTS = "apiRequests.maxRate";
const MESSAGES = "messages.maxRate";

export class Meter {
  /** @type {Sample[]} */
  samples = [];
  #pids;
  #ably;
  #secret;
  /** @type {Record<string, number>} */
  #spent = {};
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {Record<string, number>} pids of the processes, by name; the memory is that of `workerd`
   * @param {number} ably its port
   * @param {string} secret of its control endpoint
   */
  constructor(pids, ably, secret) {
    this.#pids = pids;
    this.#ably = ably;
    this.#secret = secret;
  }

  /** What each of Ably's limits has let through and refused. @returns {Promise<Limit[]>} */
  async limits() {
    const response = await fetch(`http://${LOOPBACK}:${this.#ably}/control/limits`, {
      headers: { authorization: `Bearer ${this.#secret}` },
    });
    return (await response.json()).metrics;
  }

  memory() {
    return residentMiB(this.#pids.workerd ?? 0);
  }

  async start() {
    this.#spent = this.#cpu();
    await this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** Ends the measurement: the CPU seconds of each process in it. */
  async stop() {
    clearInterval(this.#timer);
    await this.#sample();
    const now = this.#cpu();
    return Object.fromEntries(Object.entries(now).map(([name, seconds]) => [name, seconds - (this.#spent[name] ?? 0)]));
  }

  #cpu() {
    return Object.fromEntries(Object.entries(this.#pids).map(([name, pid]) => [name, cpuSeconds(pid)]));
  }

  async #sample() {
    const limits = await this.limits();
    const { requests, messages } = counted(limits);
    this.samples.push({ at: performance.now(), mib: this.memory(), requests, messages });
  }
}

/**
 * Requests that were made, also those that were refused, and messages that were published and delivered.
 * @param {Limit[]} limits
 */
export function counted(limits) {
  const of = (/** @type {string} */ name) => limits.find(({ metric }) => metric === name) ?? { admitted: NaN, refused: NaN };
  return { requests: of(REQUESTS).admitted + of(REQUESTS).refused, messages: of(MESSAGES).admitted };
}

/**
 * How much a count has grown a second: on average, and in the second in which it grew most.
 * @param {Sample[]} samples
 * @param {"requests" | "messages"} figure
 */
export function perSecond(samples, figure) {
  const rate = (/** @type {Sample} */ a, /** @type {Sample} */ b) => (1_000 * (b[figure] - a[figure])) / (b.at - a.at);
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || first === last) return { mean: NaN, max: NaN };
  const rates = samples.slice(1).map((sample, before) => rate(/** @type {Sample} */ (samples[before]), sample));
  return { mean: rate(first, last), max: Math.max(...rates) };
}

/**
 * By how much memory grows a minute: the slope of the straight line that lies nearest to all samples.
 * @param {Sample[]} samples
 */
export function growth(samples) {
  const mean = (/** @type {(sample: Sample) => number} */ of) => samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [at, mib] = [mean((sample) => sample.at), mean((sample) => sample.mib)];
  const slope = mean((sample) => (sample.at - at) * (sample.mib - mib)) / mean((sample) => (sample.at - at) ** 2);
  return slope * 60_000;
}
