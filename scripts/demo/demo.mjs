// The demo beside a service that is up: the app, the jobs, and the drivers.

import { join } from "node:path";
import { startApp } from "../dev/app.mjs";
import { sign } from "../dev/session.mjs";
import { schedule } from "../drive/schedule.mjs";
import { readTrack } from "../drive/track.mjs";
import { ROOT } from "../setup/environment.mjs";
import { Failure, log } from "../setup/steps.mjs";
import { cast } from "./cast.mjs";
import { drive } from "./fleet.mjs";
import { closeEarlier, PREFIX, register } from "./jobs.mjs";
import { text } from "./said.mjs";

const DRIVE = join(ROOT, "tests", "data", "car-drive.gpx");
/** How long a session lasts, in seconds: each is used once. */
const SESSION_SECONDS = 600;

/** A fleet is a flood of lines. Whoever tries something of their own hears why it was refused, and of our faults.
 * @param {string} line
 */
const isAmiss = (line) => line.startsWith("Hint, ") || line.includes('"level":"error"');

/**
 * Starts it, says what there is to see, and goes on until it is told to stop.
 * @param {import("../dev/parts.mjs").Parts} parts
 * @param {import("../dev/bring-up.mjs").Up} up
 * @param {number} port the app's
 */
export async function runDemo(parts, { facts, page, show }, port) {
  const { url, ably, sessionSecret } = facts;
  const session = (/** @type {string} */ sub, /** @type {string} */ role) =>
    sign({ sub, role, exp: Math.floor(Date.now() / 1000) + SESSION_SECONDS }, sessionSecret);

  // The ids of another run's jobs are none of this one's.
  const company = cast(schedule(readTrack(DRIVE)), `${PREFIX}${Math.floor(Date.now() / 1000).toString(36)}`);
  const [dispatcher] = company.dispatchers;
  if (dispatcher === undefined) throw new Failure("There is no dispatcher among the people of the app.");
  const board = { url, session: session(dispatcher.id, "dispatcher"), stopping: parts.stopping };
  const [app] = await Promise.all([
    startApp(parts, { port, towline: url, sessionSecret, ...(ably.endpoint !== "main" && { ably }) }),
    closeEarlier(board).then(() => register(board, company.jobs)),
  ]);
  show(isAmiss);
  log(text({ app: app.url, service: url, ...(page !== undefined && { page }), cast: company }));
  const at = { url, ably, session: (/** @type {string} */ id) => session(id, "driver"), stopping: parts.stopping };
  await Promise.all(company.drivers.map((driver) => drive(at, driver)));
}
