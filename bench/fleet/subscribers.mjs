// The subscribers: each has a connection of its own, by the real `ably` client, with a token that the service has issued to it. They run in
// a process of their own: see run.mjs.

import { Realtime } from "ably";
import { setTimeout as delay } from "node:timers/promises";
import { follow } from "../stub/ledger.mjs";
import { driverSession } from "../workerd.mjs";
import { Delays } from "./delays.mjs";

/**
 * @typedef {object} Got what one subscriber got
 * @property {number} job
 * @property {number} epoch
 * @property {number} last
 * @property {number} fixes
 * @property {number} times the sum of their `capturedAt`
 * @property {number} messages
 * @property {string | undefined} wrong the first thing that was
 *
 * @typedef {object} Received
 * @property {Got[]} all
 * @property {number} disconnected how often a connection was lost
 * @property {{ p50: number, p99: number, max: number }} delays ms from a fix's post to its receipt, of those since the measurement began
 *
 * @typedef {{ url: string, ably: { endpoint: string, port: number, tls: false }, jobs: string[], subscribers: number, rampMs: number }} Task
 */

/** @type {Got[]} */
const all = [];
const delays = new Delays();
let measuredFrom = Infinity;
let disconnected = 0;

/** @type {Record<string, (argument: any) => unknown>} */
const ORDERS = {
  connect,
  measure: (/** @type {number} */ from) => void (measuredFrom = from),
  report: () => process.send?.({ received: /** @type {Received} */ ({ all, disconnected, delays: delays.figures }) }),
};

process.on("message", (/** @type {{ what: string, argument: unknown }} */ { what, argument }) => ORDERS[what]?.(argument));
process.on("disconnect", () => process.exit());

/** Connects one job's subscribers after the other, and says of which job all are there. @param {Task} task */
async function connect(task) {
  const { jobs, subscribers, rampMs } = task;
  const started = Date.now();
  for (let job = 0; job < jobs.length; job += 1) {
    await delay(Math.max(0, started + (job * rampMs) / jobs.length - Date.now()));
    const own = [];
    for (let index = job; index < subscribers; index += jobs.length) own.push(subscribe(task, job, index));
    Promise.all(own).then(
      () => process.send?.({ ready: job }),
      (error) => process.send?.({ failed: String(error) }),
    );
  }
}

/**
 * @param {Task} task
 * @param {number} job
 * @param {number} index
 */
async function subscribe({ url, ably, jobs }, job, index) {
  const authHeaders = { authorization: driverSession([jobs[job] ?? ""], `customer-${index}`, "customer") };
  // As browsers do, JSON; nothing is logged, since a connection that is lost is counted here.
  const client = new Realtime({ ...ably, authUrl: `${url}/api/ably-token`, authHeaders, useBinaryProtocol: false, logLevel: 0 });
  client.connection.on("disconnected", () => (disconnected += 1));
  /** @type {Got} */
  const got = { job, epoch: 0, last: 0, fixes: 0, times: 0, messages: 0, wrong: undefined };
  all.push(got);
  await client.channels.get(`dispatch:job:${jobs[job]}`).subscribe(({ data, id }) => {
    const now = Date.now();
    got.messages += 1;
    try {
      follow(got, data, id);
    } catch (error) {
      got.wrong ??= error instanceof Error ? error.message : String(error);
    }
    const head = data.lat === undefined ? [] : [data.capturedAt];
    for (const capturedAt of [...head, ...(data.backfill ?? []).map((/** @type {number[]} */ [, time]) => time)]) {
      got.times += capturedAt;
      if (capturedAt >= measuredFrom) delays.add(now - capturedAt);
    }
  });
}
