// Whose drive it is: the driver of the job, by a session that is given or made in this clone, where the service runs.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { STATE } from "../dev/clone.mjs";
import { sign } from "../dev/session.mjs";
import { Failure } from "../setup/steps.mjs";
import { call } from "./service.mjs";

/**
 * @typedef {object} Driver
 * @property {string} url of the service
 * @property {string} session
 *
 * @typedef {object} Job as a dispatcher is told it
 * @property {string} [state]
 * @property {unknown} [driver]
 * @property {unknown} [customers]
 * @property {unknown} [place]
 * @property {unknown} [startsAt]
 * @property {unknown} [endsAt]
 * @property {unknown} [dispatchId]
 * @property {{ customer: { openedAt?: number } }} [gate]
 */

const NOTHING_RUNS =
  "The service does not run in this clone.\n" +
  "What to do: npm run demo, or npm start, in another terminal, then the same again.\n" +
  "For a service that runs elsewhere: TOWLINE_SESSION=<the driver's session> npm run drive -- --url https://… --file … --job …";

/**
 * The driver at a service that runs elsewhere.
 * @param {string} url
 * @param {string | undefined} session
 * @returns {Driver}
 */
export function givenDriver(url, session) {
  if (!URL.canParse(url)) throw new Failure("--url is no URL.");
  if (!session) throw new Failure("With --url the driver's session has to be in the environment, as TOWLINE_SESSION.");
  return { url, session };
}

/**
 * The driver at the service that `npm start` or `npm run demo` runs. A job that has no driver gets one, which is said.
 * @param {string} job
 * @param {(line: string) => void} say
 * @param {string} path of what the service's start has written down
 * @returns {Promise<Driver>}
 */
export async function localDriver(job, say, path = join(STATE, "dev.json")) {
  if (!existsSync(path)) throw new Failure(NOTHING_RUNS);
  /** @type {import("../dev/facts.mjs").Facts} */
  const { url, sessions, sessionSecret } = JSON.parse(readFileSync(path, "utf8"));
  const nobody = claims(sessions.driver);
  const driver = await registered(url, sessions.dispatcher, job, { driver: nobody.sub, customer: claims(sessions.customer).sub }, say);
  return { url, session: sign({ ...nobody, sub: driver, jobs: [job] }, sessionSecret) };
}

/**
 * Who drives the job, where nobody does after this has seen to it.
 * @param {string} url
 * @param {string} dispatcher a session
 * @param {string} job
 * @param {{ driver: string, customer: string }} people for a job that has none
 * @param {(line: string) => void} say
 */
async function registered(url, dispatcher, job, { driver, customer }, say) {
  const path = `/api/jobs/${job}`;
  const found = await call(url, dispatcher, path);
  if (found.status === undefined) throw new Failure(NOTHING_RUNS);
  // Where the service keeps no registry, there is no such route, and the session alone says who drives.
  if (found.type === "not_found") return driver;
  const there = /** @type {Job} */ (found.body);
  if (there.state === "closed" || found.type === "job_forgotten") throw new Failure(`${job} is closed, and that is for ever: drive another job.`);
  if (found.status === 200 && typeof there.driver === "string") {
    say(`${job} is driven by ${there.driver}.`);
    return there.driver;
  }
  if (found.status !== 200 && found.type !== "not_registered") throw new Failure(`${job}: ${found.status} ${found.detail ?? found.type}.`);
  const isNew = found.status !== 200;
  const put = await call(url, dispatcher, path, {
    method: "PUT",
    body: isNew ? { driver, customers: [customer] } : { ...registration(there), driver },
    headers: found.etag === undefined ? {} : { "if-match": found.etag },
  });
  if (put.status !== 200 && put.status !== 201) throw new Failure(`${job} cannot be given to ${driver}: ${put.status} ${put.detail ?? put.type}.`);
  say(isNew ? `${job} was not registered: it is now, with ${driver} as its driver and ${customer} as its customer.` : `${job} had no driver: ${driver} has it now.`);
  return driver;
}

/**
 * What of a job is registered: a PUT has to say all of it, since what it leaves out is gone.
 * @param {Job} job
 */
function registration({ customers, place, startsAt, endsAt, dispatchId, gate }) {
  if (gate === undefined) return { customers, place, startsAt, endsAt, dispatchId };
  // What has become of the gate is told, and is nothing to put.
  const { openedAt, ...put } = gate.customer;
  return { customers, place, startsAt, endsAt, dispatchId, gate: { customer: put } };
}

/**
 * What a session says. It was signed in this clone.
 * @param {string} session
 * @returns {{ sub: string }}
 */
function claims(session) {
  return JSON.parse(Buffer.from(session.split(".")[1] ?? "", "base64url").toString());
}
