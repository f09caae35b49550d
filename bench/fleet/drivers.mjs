// The drivers: each posts a fix a second to a job of its own, over a connection of its own. They run in a process of their own: see run.mjs.
//
// A fix says in `capturedAt` when its post began, so whoever gets it knows how long it took.

import { setTimeout as delay } from "node:timers/promises";
import { Connection } from "../load/connection.mjs";
import { posts } from "../load/shape.mjs";
import { Delays } from "./delays.mjs";

/**
 * @typedef {object} Given what a job was given, by its driver
 * @property {number} fixes that were accepted
 * @property {number} times the sum of their `capturedAt`
 *
 * @typedef {object} Posted
 * @property {Given[]} jobs
 * @property {number} accepted since the measurement began
 * @property {Record<string, number>} refused posts by status, from the start on
 * @property {number} broken of which nobody knows whether they were accepted: the connection broke off
 * @property {{ p50: number, p99: number, max: number }} answers ms from a post to its answer, since the measurement began
 *
 * @typedef {{ port: number, jobs: string[] }} Task
 */

const PERIOD_MS = 1_000;
/** Phases are spread by the golden ratio: evenly, however many there are. */
const GOLDEN = 0.618_033_988_75;

/** @type {Posted} */
const posted = { jobs: [], accepted: 0, refused: {}, broken: 0, answers: new Delays().figures };
const answers = new Delays();
/** @type {string[]} */
let heads = [];
let port = 0;
let measuredFrom = Infinity;
let isOver = false;
/** @type {Promise<void>[]} */
const driving = [];

/** @type {Record<string, (argument: any) => unknown>} */
const ORDERS = {
  prepare: (/** @type {Task} */ task) => {
    port = task.port;
    ({ heads } = posts(task.jobs, { fixes: 1, ids: false, lagMs: 0, tag: "fleet" }));
    posted.jobs = task.jobs.map(() => ({ fixes: 0, times: 0 }));
  },
  start: (/** @type {number} */ job) => void driving.push(drive(job)),
  measure: (/** @type {number} */ from) => void (measuredFrom = from),
  stop: async () => {
    isOver = true;
    await Promise.all(driving);
    process.send?.({ posted: { ...posted, answers: answers.figures } });
  },
};

process.on("message", (/** @type {{ what: string, argument: unknown }} */ { what, argument }) => ORDERS[what]?.(argument));
process.on("disconnect", () => process.exit());

/** @param {number} job */
async function drive(job) {
  const given = /** @type {Given} */ (posted.jobs[job]);
  let connection = await Connection.open(port);
  let due = Date.now() + ((job * GOLDEN) % 1) * PERIOD_MS;
  for (let count = 1; ; count += 1) {
    await delay(Math.max(0, due - Date.now()));
    if (isOver) break;
    const capturedAt = Date.now();
    const isMeasured = capturedAt >= measuredFrom;
    const lat = (45 + (count % 100_000) / 1e5).toFixed(5);
    const body = `{"lat":${lat},"lng":13.71234,"speed":12.5,"heading":90,"accuracy":5,"capturedAt":${capturedAt}}`;
    try {
      const answer = await connection.send(`${heads[job]}${body.length}\r\n\r\n${body}`);
      if (/"status":"(accepted|late)"/.test(answer.body)) {
        given.fixes += 1;
        given.times += capturedAt;
        if (isMeasured) posted.accepted += 1;
      } else posted.refused[answer.status] = (posted.refused[answer.status] ?? 0) + 1;
      if (isMeasured) answers.add(Date.now() - capturedAt);
    } catch {
      posted.broken += 1;
      connection = await Connection.open(port);
    }
    // Who is behind posts at once, and loses no beat: phones measure once a second, however slow the network is.
    due += PERIOD_MS;
  }
  connection.close();
}
