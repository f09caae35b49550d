// Chance that a seed repeats.

import { createHash } from "node:crypto";

export class Random {
  readonly #seed: string;
  readonly #state: Uint32Array;

  constructor(seed: string) {
    this.#seed = seed;
    const digest = createHash("sha256").update(seed).digest();
    this.#state = Uint32Array.from({ length: 4 }, (_, index) => digest.readUInt32LE(index * 4));
  }

  /** Another one, which draws independently of how much is drawn from this. */
  of(purpose: string | number): Random {
    return new Random(`${this.#seed}/${purpose}`);
  }

  /** A number from 0 to below 1: xoshiro128++. */
  number(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state;
    const rotated = (value: number, by: number) => ((value << by) | (value >>> (32 - by))) >>> 0;
    const result = (rotated((a + d) >>> 0, 7) + a) >>> 0;
    const [e, f] = [c ^ a, d ^ b];
    this.#state.set([a ^ f, b ^ e, e ^ (b << 9), rotated(f, 11)]);
    return result / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.number() * (high - low + 1));
  }

  /** Whether something happens that happens in a share of all cases. */
  chance(share: number): boolean {
    return this.number() < share;
  }

  /** One of several. */
  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error("there is nothing to pick from");
    return from[Math.floor(this.number() * from.length)] as T;
  }

  /** One of several, each as often as its weight says. */
  weighted<T extends { weight: number }>(from: readonly T[]): T {
    let left = this.number() * from.reduce((sum, { weight }) => sum + weight, 0);
    return from.find(({ weight }) => (left -= weight) < 0) ?? this.pick(from);
  }
}
