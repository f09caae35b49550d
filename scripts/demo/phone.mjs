// What a driver's phone does over time: what it measures, when it posts that, and what is wrong with it. Plain logic over seconds since
// the beginning; `fleet.mjs` has the timers and the requests.

import { whereabouts } from "./route.mjs";

/**
 * @typedef {"plain" | "tunnel" | "offline" | "silent" | "parked" | "unknowns" | "twice"} Habit
 *
 * @typedef {object} Phone
 * @property {import("./route.mjs").Route} route
 * @property {number} every seconds between two fixes
 * @property {Habit} habit
 * @property {number} [ahead] by so many seconds its clock is ahead; negative where it is slow
 * @property {boolean} [untold] it sends its fixes without `sentAt`
 *
 * @typedef {import("./route.mjs").Whereabouts & { accuracy: number, measured: number }} Measured `measured` is when, in seconds
 *
 * @typedef {{ at: number } & ({ fixes: Measured[] } | { heartbeat: "parked" | "no_fix" })} Doing
 */

/** A tunnel of 40 s every four minutes, into which no satellite is seen: what was reckoned there comes after the first fix outside. */
const TUNNEL = { every: 240, from: 120, seconds: 40, heartbeat: 15 };
/** Each seven minutes it has no network for 90 s. What has gathered then leaves in posts of so many, one each time that it measures. */
const OFFLINE = { every: 420, from: 150, seconds: 90, post: 20 };
/** Its battery is empty after three minutes. */
const SILENT_AFTER = 180;
/** A parked phone says so each half a minute, and where it is every other minute. */
const PARKED = { heartbeat: 30, fix: 120 };

const ACCURACY_M = 5;
/** What is reckoned without a satellite. */
const RECKONED_M = 60;

/**
 * All that a phone does, in the order of time, without an end but the silent one's.
 * @param {Phone} phone
 * @returns {Generator<Doing>}
 */
export function* doings(phone) {
  if (phone.habit === "parked") return yield* parked(phone);
  if (phone.habit === "tunnel") return yield* throughTunnels(phone);
  if (phone.habit === "offline") return yield* withoutNetwork(phone);
  for (const fix of measurements(phone)) {
    const doing = { at: fix.measured, fixes: [fix] };
    if (phone.habit === "silent" && fix.measured > SILENT_AFTER) return;
    yield doing;
    if (phone.habit === "twice") yield doing;
  }
}

/**
 * @param {Phone} phone
 * @returns {Generator<Measured>}
 */
function* measurements({ route, every, habit }) {
  for (let measured = 0; ; measured += every) {
    const fix = { ...whereabouts(route, measured), accuracy: ACCURACY_M, measured };
    // As iOS says that it does not know.
    yield habit === "unknowns" ? { ...fix, speed: -1, heading: -1 } : fix;
  }
}

/** @param {Phone} phone */
function* throughTunnels(phone) {
  /** @type {Measured[]} */
  let inside = [];
  let told = 0;
  for (const fix of measurements(phone)) {
    const { measured } = fix;
    if (isWithin(TUNNEL, measured)) {
      if (inside.length === 0 || measured - told >= TUNNEL.heartbeat) {
        told = measured;
        yield { at: measured, heartbeat: /** @type {const} */ ("no_fix") };
      }
      inside.push({ ...fix, accuracy: RECKONED_M });
      continue;
    }
    yield { at: measured, fixes: [fix] };
    if (inside.length > 0) yield { at: measured, fixes: inside };
    inside = [];
  }
}

/** @param {Phone} phone */
function* withoutNetwork(phone) {
  /** @type {Measured[]} */
  const waiting = [];
  for (const fix of measurements(phone)) {
    waiting.push(fix);
    // The oldest first, so that all stays in order: the newest waits until it is its turn.
    if (!isWithin(OFFLINE, fix.measured)) yield { at: fix.measured, fixes: waiting.splice(0, OFFLINE.post) };
  }
}

/** @param {Phone} phone */
function* parked({ route }) {
  for (let at = 0; ; at += PARKED.heartbeat) {
    if (at % PARKED.fix === 0) yield { at, fixes: [{ ...whereabouts(route, 0), speed: 0, accuracy: ACCURACY_M, measured: at }] };
    yield { at, heartbeat: /** @type {const} */ ("parked") };
  }
}

/**
 * @param {{ every: number, from: number, seconds: number }} spell
 * @param {number} at
 */
function isWithin({ every, from, seconds }, at) {
  const since = (at % every) - from;
  return since >= 0 && since < seconds;
}

/**
 * The body of a post, by the phone's own clock.
 * @param {Phone} phone
 * @param {Measured[]} fixes
 * @param {number} start when the simulation began, Unix milliseconds
 * @param {number} now Unix milliseconds
 */
export function body({ ahead = 0, untold = false }, fixes, start, now) {
  const clock = ahead * 1000;
  const locations = fixes.map(({ measured, ...fix }) => ({ ...fix, capturedAt: Math.round(start + measured * 1000 + clock) }));
  return { ...(!untold && { sentAt: now + clock }), locations };
}
