// Medians and quartiles.

/** @typedef {{ median: number, q1: number, q3: number, of: number }} Spread */

/**
 * @param {number[]} values
 * @returns {Spread}
 */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), q1: quantile(sorted, 0.25), q3: quantile(sorted, 0.75), of: sorted.length };
}

/** @param {number[]} values */
export function median(values) {
  return spread(values).median;
}

/**
 * Between two values it lies as far as between their places.
 * @param {number[]} sorted
 * @param {number} share
 */
export function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(place)] ?? NaN, sorted[Math.ceil(place)] ?? NaN];
  return below + (above - below) * (place - Math.floor(place));
}
