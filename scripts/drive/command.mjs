// `npm run drive`: what it is asked, what it says, and how it ends.

import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { npmProcess } from "../dev/processes.mjs";
import { stopRequest } from "../dev/stop.mjs";
import { Failure, log } from "../setup/steps.mjs";
import { givenDriver, localDriver } from "./driver.mjs";
import { isTimed } from "./point.mjs";
import { replay } from "./replay.mjs";
import { schedule, STEADY } from "./schedule.mjs";
import { call } from "./service.mjs";
import { readTrack } from "./track.mjs";

const HELP = `Replays a drive of your own, as the driver of a job would post it.

  npm run drive -- --file track.gpx --job JOB [--speed 10]

  --file   GPX (tracks, else routes, else waypoints) or GeoJSON (lines with their times in coordinateProperties, or points with theirs
           as capturedAt, timestamp or time). What has no times is driven at ${STEADY} m/s.
  --job    the job to drive. One that has no driver gets one.
  --speed  how many times as fast as it was driven; 1 where it is left out. The times move to now and closer together; the speed
           that each fix tells stays as it was driven.
  --url    a service that runs elsewhere, with the session of the job's driver in the environment, as TOWLINE_SESSION. Without it, the
           service that npm start or npm run demo runs.`;

/** How often it says how far it is. */
const SAYS_MS = 5_000;
/** Timers of weeks do not work; whoever waits looks again. */
const LONGEST_WAIT_MS = 3_600_000;

/** @param {string[]} args */
export async function drive(args) {
  const options = asked(args);
  if (options === undefined) return log(HELP);
  const { file, job, speed, url } = options;
  const npm = npmProcess();
  // npm has gone to the root of the clone.
  const track = readTrack(resolve(process.env.INIT_CWD ?? "", file));
  if (!isTimed(track)) log(`Nothing in ${file} says when it was driven: it is driven at ${STEADY} m/s.`);
  const due = schedule(track);
  const driver = url === undefined ? await localDriver(job, log) : givenDriver(url, process.env.TOWLINE_SESSION);

  // Of this run alone: the same drive can be driven again.
  const run = randomBytes(4).toString("hex");
  const start = Date.now();
  const fixes = due.map(({ at, ...fix }, index) => ({ id: `${run}-${index + 1}`, ...fix, capturedAt: Math.round(start + at / speed) }));
  const seconds = Math.ceil((due.at(-1)?.at ?? 0) / speed / 1000);
  log(`${fixes.length} fixes of ${file} leave for ${job} in the next ${seconds} s. Ctrl-C ends it.`);

  /** @type {import("./replay.mjs").Progress} */
  const progress = { sent: 0, became: {} };
  const stop = new AbortController();
  stopRequest(npm).then(() => stop.abort());
  const said = setInterval(() => log(progressLine(fixes.length, progress)), SAYS_MS);
  try {
    await replay(fixes, {
      post: (some) => post(driver, job, some),
      clock: { now: Date.now, wait: (ms) => delay(Math.min(LONGEST_WAIT_MS, Math.max(0, ms)), undefined, { signal: stop.signal }).catch(() => {}) },
      progress,
      stop: stop.signal,
    });
  } finally {
    clearInterval(said);
    log(progressLine(fixes.length, progress));
  }
  if (url === undefined) log(`${job} stays open, for you to look at: close it on the board, or by POST /api/jobs/${job}/close.`);
  return Object.keys(progress.became).some((what) => what.startsWith("rejected")) ? 1 : 0;
}

/**
 * What is asked for; nothing where that is help.
 * @param {string[]} args
 */
export function asked(args) {
  const { file, job, url, speed = "1", help } = parsed(args);
  if (help) return undefined;
  if (file === undefined || job === undefined) throw new Failure(`--file and --job are needed.\n\n${HELP}`);
  if (!(Number(speed) > 0 && Number.isFinite(Number(speed)))) throw new Failure("--speed is a number above 0: 10 is ten times as fast as it was driven.");
  if (!/^(?!\.\.?$)[A-Za-z0-9._-]{1,64}$/.test(job)) throw new Failure("--job is 1 to 64 of A-Z a-z 0-9 . _ -");
  return { file, job, url, speed: Number(speed) };
}

/** @param {string[]} args */
function parsed(args) {
  const string = /** @type {const} */ ({ type: "string" });
  try {
    return parseArgs({ args, options: { file: string, job: string, speed: string, url: string, help: { type: "boolean", short: "h" } } }).values;
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message}\n\n${HELP}`);
  }
}

/**
 * @param {import("./driver.mjs").Driver} driver
 * @param {string} job
 * @param {import("./replay.mjs").Fix[]} fixes
 * @returns {Promise<import("./replay.mjs").Answer>}
 */
async function post({ url, session }, job, fixes) {
  // The clock of this moment, at each try anew.
  const { body, ...answer } = await call(url, session, `/api/jobs/${job}/location`, { body: { sentAt: Date.now(), locations: fixes } });
  return { ...answer, results: /** @type {import("./replay.mjs").Answer["results"]} */ (body.results) };
}

/**
 * @param {number} count
 * @param {import("./replay.mjs").Progress} progress
 */
export function progressLine(count, { sent, became, trouble }) {
  const what = Object.entries(became).map(([name, times]) => `${times} ${name}`);
  return `  ${sent} of ${count} posted${what.length > 0 ? `: ${what.join(", ")}` : ""}${trouble === undefined ? "" : `. The rest waits: ${trouble}`}`;
}
