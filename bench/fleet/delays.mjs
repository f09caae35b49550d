// Many delays, by the millisecond: that is how exactly a post says when it began.

/** What is longer counts as this. */
const MOST_MS = 60_000;

export class Delays {
  #counts = new Uint32Array(MOST_MS + 1);
  #all = 0;

  /** @param {number} ms */
  add(ms) {
    const place = Math.min(MOST_MS, Math.max(0, Math.round(ms)));
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#all += 1;
  }

  /** Median, 99th percentile and the longest. */
  get figures() {
    return { p50: this.#at(0.5), p99: this.#at(0.99), max: this.#at(1) };
  }

  /** @param {number} share */
  #at(share) {
    let left = Math.max(1, this.#all * share);
    const place = this.#counts.findIndex((count) => (left -= count) <= 0);
    return place < 0 ? NaN : place;
  }
}
