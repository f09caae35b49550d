// One point of a file, whichever format it has: what is known of it, and nothing made of what is not.

import { Failure } from "../setup/steps.mjs";

/**
 * @typedef {object} Point
 * @property {number} lat degrees, -90 to 90
 * @property {number} lng degrees, -180 to 180
 * @property {number} [altitude] metres
 * @property {number} [speed] metres a second
 * @property {number} [heading] degrees clockwise from north
 * @property {number} [accuracy] metres
 * @property {number} [time] when it was measured, Unix milliseconds
 *
 * @typedef {Point[][]} Legs the stretches of a track, each recorded without a pause
 * @typedef {Partial<Record<keyof Point, unknown>>} Raw the same as a file has it
 */

/**
 * Whether anything in it says when it was driven.
 * @param {Legs} legs
 */
export const isTimed = (legs) => legs.flat().some(({ time }) => time !== undefined);

/** Times that are counted in seconds are below this; in milliseconds it is 1973. */
const SECONDS_BELOW = 1e11;

const TIME = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?([Zz]|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * Makes a point of what a file says.
 * @param {Raw} raw numbers, or their text
 * @param {string} where in the file, for the person who has to mend it
 * @returns {Point}
 */
export function point(raw, where) {
  const lat = number(raw.lat);
  const lng = number(raw.lng);
  if (lat === undefined || Math.abs(lat) > 90) throw new Failure(`${where}: the latitude is not a number from -90 to 90.`);
  if (lng === undefined || Math.abs(lng) > 180) throw new Failure(`${where}: the longitude is not a number from -180 to 180.`);
  const known = {
    altitude: number(raw.altitude),
    speed: measured(raw.speed),
    heading: measured(raw.heading, 360),
    accuracy: measured(raw.accuracy),
    time: time(raw.time, where),
  };
  return { lat, lng, ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) };
}

/**
 * A number, where it is one. There is a difference between nothing and 0.
 * @param {unknown} value
 */
function number(value) {
  const found = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof found === "number" && Number.isFinite(found) ? found : undefined;
}

/**
 * What cannot be negative: phones say -1 for what they do not know.
 * @param {unknown} value
 * @param {number} [most]
 */
function measured(value, most = Infinity) {
  const found = number(value);
  return found !== undefined && found >= 0 && found <= most ? found : undefined;
}

/**
 * Unix milliseconds, to the last digit that there is.
 * @param {unknown} value ISO 8601, of UTC where it has no offset, as GPX wants it; or a number of seconds or milliseconds since 1970
 * @param {string} where
 */
function time(value, where) {
  if (value === undefined || value === null || value === "") return undefined;
  const counted = number(value);
  if (counted !== undefined) return counted < SECONDS_BELOW ? counted * 1000 : counted;
  const [, day, clock, offset = ""] = TIME.exec(String(value).trim()) ?? [];
  const found = Date.parse(`${day}T${clock?.replace(",", ".")}${fullOffset(offset)}`);
  if (Number.isNaN(found)) throw new Failure(`${where}: the time is none that is understood, which 2026-01-31T08:00:00Z would be.`);
  return found;
}

/**
 * An offset as `Date` takes it: +0200 and +02 are others' ways to write it.
 * @param {string} offset
 */
function fullOffset(offset) {
  const [, hours, minutes = "00"] = /^([+-]\d\d):?(\d\d)?$/.exec(offset) ?? [];
  return hours === undefined ? "Z" : `${hours}:${minutes}`;
}
