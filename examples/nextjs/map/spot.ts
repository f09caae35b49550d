// Places on earth, and how they lie to each other.

/** A place on earth, WGS 84, in degrees. */
export interface Spot {
  lat: number;
  lng: number;
}

/** A longitude as it is counted on from another: from 179° on to 181°, and not back round the world to -179°. */
export const onFrom = (from: number, lng: number) => lng + 360 * Math.round((from - lng) / 360);

const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** The great circle from one place to another, in metres. */
export function metresBetween(a: Spot, b: Spot): number {
  const [lat, lng] = [radians(b.lat - a.lat), radians(b.lng - a.lng)];
  const h = Math.sin(lat / 2) ** 2 + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * Math.sin(lng / 2) ** 2;
  return 2 * 6_371_009 * Math.asin(Math.min(1, Math.sqrt(h)));
}
