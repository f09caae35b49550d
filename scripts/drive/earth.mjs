// Distances and directions between places, in degrees of WGS 84 on a sphere: near enough for what a vehicle drives. The
// antimeridian is a meridian like any other.

/** @typedef {{ lat: number, lng: number }} Place */

const RADIUS_M = 6_371_008.8;

const radians = (/** @type {number} */ degrees) => (degrees * Math.PI) / 180;

/**
 * A longitude from -180 to 180, of one that has been counted on; whatever is one already stays as it is.
 * @param {number} lng
 */
export function wrapped(lng) {
  return Math.abs(lng) <= 180 ? lng : ((((lng + 180) % 360) + 360) % 360) - 180;
}

/**
 * Metres along a great circle.
 * @param {Place} a
 * @param {Place} b
 */
export function distance(a, b) {
  const half = (/** @type {number} */ degrees) => Math.sin(radians(degrees) / 2) ** 2;
  const h = half(b.lat - a.lat) + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * half(b.lng - a.lng);
  return 2 * RADIUS_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/**
 * The direction in which one sets out from `a` to `b`: degrees clockwise from north, 0 to below 360.
 * @param {Place} a
 * @param {Place} b
 */
export function bearing(a, b) {
  const turn = radians(b.lng - a.lng);
  const east = Math.sin(turn) * Math.cos(radians(b.lat));
  const north = Math.cos(radians(a.lat)) * Math.sin(radians(b.lat)) - Math.sin(radians(a.lat)) * Math.cos(radians(b.lat)) * Math.cos(turn);
  const degrees = (Math.atan2(east, north) * 180) / Math.PI;
  // What is a hair west of north would else become 360.
  return (degrees + 360) % 360;
}

/**
 * The place at a share of the way, the short way round.
 * @param {Place} a
 * @param {Place} b
 * @param {number} share 0 is `a`, 1 is `b`
 * @returns {Place}
 */
export function between(a, b, share) {
  return { lat: a.lat + (b.lat - a.lat) * share, lng: wrapped(a.lng + wrapped(b.lng - a.lng) * share) };
}
