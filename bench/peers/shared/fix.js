// Reads a post: one fix, or up to 100 in `locations`. What is wrong with it has the reasons that Towline gives.

/** @import { Fix, Post, Refusal, Rejection } from "./types.js" */

const FIXES_MAX = 100;
/** The length of a body, in bytes. */
export const BODY_MAX = 64 * 1024;
/** Below this a number of milliseconds can only be meant in seconds: it is in 1973. */
const SECONDS_BELOW = 100_000_000_000;
const TIME_MAX = 253_402_300_799_999;
const ID = /^[\x20-\x7e]{1,64}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/**
 * @param {string} text
 * @param {string | null} key the post's `Idempotency-Key`
 * @returns {Post | Refusal}
 */
export function readPost(text, key) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return { problem: "invalid_post", reason: "not_json", detail: "the body is not JSON" };
  }
  return checkPost(body, key);
}

/**
 * @param {any} body
 * @param {string | null} key
 * @returns {Post | Refusal}
 */
export function checkPost(body, key) {
  if (key !== null && !ID.test(key)) {
    return { problem: "invalid_post", reason: "invalid_id", detail: "`Idempotency-Key` must be 1 to 64 printable ASCII characters" };
  }
  if (!isObject(body)) return { problem: "invalid_fix", ...NOT_AN_OBJECT };
  if (body.locations === undefined) {
    const fix = readFix(body, key, 0);
    return "reason" in fix ? { problem: "invalid_fix", ...fix } : { fixes: [fix] };
  }
  const { locations } = body;
  if (!Array.isArray(locations)) {
    return { problem: "invalid_post", reason: "wrong_type", field: "locations", detail: "`locations` must be an array of 1 to 100 fixes" };
  }
  if (locations.length === 0) return { problem: "invalid_post", reason: "empty", field: "locations", detail: "`locations` holds no fix" };
  if (locations.length > FIXES_MAX) {
    return { problem: "too_large", reason: "too_many", field: "locations", detail: "`locations` holds more than 100 fixes" };
  }
  return { fixes: locations.map((fix, index) => (isObject(fix) ? readFix(fix, key, index) : NOT_AN_OBJECT)) };
}

/** @type {Rejection} */
const NOT_AN_OBJECT = { reason: "not_an_object", detail: "a fix is a JSON object" };

/** @param {unknown} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {any} raw
 * @param {string | null} key
 * @param {number} index its place in the post
 * @returns {Fix | Rejection}
 */
function readFix(raw, key, index) {
  const { lat, lng } = raw;
  if (typeof lat !== "number" || !(lat >= -90 && lat <= 90)) return badDegrees("lat", lat, 90);
  if (typeof lng !== "number" || !(lng >= -180 && lng <= 180)) return badDegrees("lng", lng, 180);
  const speed = unlessNegative(raw.speed);
  if (speed === null) return wrong("speed", "a number of metres a second (negative: unknown)");
  let heading = unlessNegative(raw.heading);
  if (heading === null) return wrong("heading", "a number from 0 to 360 (negative: unknown)");
  if (heading !== undefined && heading >= 360) {
    if (heading > 360) return wrong("heading", "a number from 0 to 360 (negative: unknown)", "out_of_range");
    heading = 0;
  }
  const accuracy = unlessNegative(raw.accuracy);
  if (accuracy === null) return wrong("accuracy", "a number of metres (negative: unknown)");
  const altitude = raw.altitude ?? undefined;
  if (altitude !== undefined && !Number.isFinite(altitude)) return wrong("altitude", "a number of metres");
  let capturedAt = raw.capturedAt ?? undefined;
  if (capturedAt !== undefined) {
    capturedAt = readTime(capturedAt);
    if (typeof capturedAt !== "number") return capturedAt;
  }
  let id = raw.id ?? undefined;
  if (id !== undefined) {
    if (typeof id !== "string") return wrong("id", "a string of 1 to 64 printable ASCII characters");
    if (!ID.test(id)) return wrong("id", "a string of 1 to 64 printable ASCII characters", "invalid_id");
  } else if (key !== null) id = `${key}\n${index}`;
  // -0 is 0: two spellings of a place are one place.
  return { lat: lat + 0, lng: lng + 0, speed, heading, accuracy, altitude, capturedAt, id };
}

/**
 * What a phone does not know it sends as null, or as a negative number: undefined. Null here means that it is no number.
 * @param {unknown} value
 */
function unlessNegative(value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) return null;
  return value < 0 ? undefined : value;
}

/**
 * @param {unknown} value
 * @returns {number | Rejection} epoch milliseconds
 */
function readTime(value) {
  const rule = "ISO 8601 with an offset (2026-01-31T08:00:00.5Z), or Unix milliseconds, in the years 0000 to 9999";
  if (typeof value === "number") {
    if (value > 0 && value < SECONDS_BELOW) {
      return { reason: "in_seconds", field: "capturedAt", detail: "`capturedAt` looks like seconds; it is milliseconds" };
    }
    return value <= TIME_MAX ? Math.trunc(value) : wrong("capturedAt", rule, "out_of_range");
  }
  if (typeof value !== "string") return wrong("capturedAt", rule);
  const time = ISO.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(time) ? wrong("capturedAt", rule, "not_a_time") : time;
}

/**
 * @param {string} field
 * @param {unknown} value
 * @param {number} limit
 * @returns {Rejection}
 */
function badDegrees(field, value, limit) {
  if (value === undefined || value === null) return { reason: "required", field, detail: `\`${field}\` is required` };
  return wrong(field, `a number from -${limit} to ${limit}`, typeof value === "number" ? "out_of_range" : "wrong_type");
}

/**
 * @param {string} field
 * @param {string} rule
 * @param {string} [reason]
 * @returns {Rejection}
 */
function wrong(field, rule, reason = "wrong_type") {
  return { reason, field, detail: `\`${field}\` must be ${rule}` };
}
