/** Chance that comes again with its seed. */
export interface Chance {
  /** 0 … 1. */
  (): number;
  /** A whole number below `n`. */
  below(n: number): number;
  /** Whether what happens with this probability does. */
  is(probability: number): boolean;
}

export function chance(seed: number): Chance {
  let a = seed | 0;
  const next = (): number => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  return Object.assign(next, { below: (n: number) => Math.floor(next() * n), is: (probability: number) => next() < probability });
}
