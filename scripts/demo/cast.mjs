// Who takes part in the demo: the people of the app, and what is particular about each driver's way and phone.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { APP } from "../setup/app.mjs";
import { varied, whereabouts } from "./route.mjs";

/**
 * @typedef {{ id: string, name: string }} Person the app's page for signing in calls them by their name
 * @typedef {Person & { phone: import("./phone.mjs").Phone }} Driver
 *
 * @typedef {object} Job as it is registered
 * @property {string} jobId
 * @property {string | null} driver
 * @property {string[]} customers
 * @property {{ lat: number, lng: number }} place
 * @property {{ customer: { within: number } }} [gate]
 */

/** What goes wrong, one of each: of the other drivers nothing does. A few fixes a minute come from some, one a second from others. */
const PHONES = /** @type {const} */ ([
  { habit: "plain", every: 1 },
  { habit: "plain", every: 2 },
  { habit: "tunnel", every: 2 },
  { habit: "plain", every: 3, ahead: 7 * 60, untold: true },
  { habit: "plain", every: 2, ahead: -6 * 365 * 86_400 },
  { habit: "offline", every: 3 },
  { habit: "plain", every: 5 },
  { habit: "parked", every: 5 },
  { habit: "unknowns", every: 2 },
  { habit: "twice", every: 4 },
  { habit: "plain", every: 2 },
  { habit: "silent", every: 3 },
]);
/** The golden angle, by which directions never gather on one side. */
const TURN = 137.508;
/** Where a job's vehicle is needed: where it will be after so many seconds. */
const PLACE_AFTER = 240;
/** The customers of this job see its driver once the vehicle is so near, in metres. */
const GATED = { job: 5, within: 300 };

/** The people of the app, by role. */
function people() {
  /** @type {Record<string, { role: string, name: string }>} */
  const all = JSON.parse(readFileSync(join(APP, "session", "people.json"), "utf8"));
  const of = (/** @type {string} */ role) => Object.entries(all).flatMap(([id, person]) => (person.role === role ? [{ id, name: person.name }] : []));
  return { dispatchers: of("dispatcher"), drivers: of("driver"), customers: of("customer") };
}

/**
 * @param {import("../drive/schedule.mjs").Due[]} drive what all of them are made of
 * @param {string} run what the ids of this run's jobs begin with
 */
export function cast(drive, run) {
  const { dispatchers, drivers: those, customers } = people();
  /** @type {Driver[]} */
  const drivers = those.flatMap((person, index) => {
    const phone = PHONES[index];
    if (phone === undefined) return [];
    const direction = (index * TURN * Math.PI) / 180;
    const metres = 1000 + (5000 * index) / PHONES.length;
    const variation = {
      north: metres * Math.cos(direction),
      east: metres * Math.sin(direction),
      turned: index * TURN,
      mirrored: index % 2 === 1,
      begins: ((index * 5) % PHONES.length) / PHONES.length,
      pace: 0.85 + (0.3 * index) / PHONES.length,
    };
    return [{ ...person, phone: { ...phone, route: varied(drive, variation) } }];
  });
  const name = (/** @type {number} */ index) => `${run}-${String(index + 1).padStart(2, "0")}`;
  /** @type {Job[]} */
  const jobs = drivers.map(({ id, phone }, index) => {
    const { lat, lng } = whereabouts(phone.route, PLACE_AFTER);
    const job = { jobId: name(index), driver: id, customers: [customerOf(customers, index)], place: spot(lat, lng) };
    return index === GATED.job ? { ...job, gate: { customer: { within: GATED.within } } } : job;
  });
  // One more waits for a driver, whom the person at the board will find.
  const place = spot(drive[0]?.lat ?? 0, drive[0]?.lng ?? 0);
  const waiting = { jobId: name(jobs.length), driver: null, customers: customers.slice(-1).map(({ id }) => id), place };
  return { dispatchers, customers, drivers, jobs: [...jobs, waiting] };
}

/** A place as people write it, to the decimetre.
 * @param {number} lat
 * @param {number} lng
 */
function spot(lat, lng) {
  return { lat: Number(lat.toFixed(6)), lng: Number(lng.toFixed(6)) };
}

/**
 * The first customer has one job, the second two, the third three, and so on round.
 * @param {Person[]} customers
 * @param {number} index of the job
 */
function customerOf(customers, index) {
  const turns = customers.flatMap(({ id }, place) => Array.from({ length: place + 1 }, () => id));
  return turns[index % turns.length] ?? "";
}
