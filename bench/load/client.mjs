// A load that keeps a rate, however slowly the server answers; or a number of requests. It runs in a process of its own: see paced.mjs.
//
// wrk has no fixed rate. What is late here is late for the client too: a request that finds no free connection counts from when it was due.

import { Connection } from "./connection.mjs";

/** @import { Shape } from "./shape.mjs" */

/**
 * @typedef {object} Task
 * @property {Shape} shape
 * @property {number} port
 * @property {number} connections at most
 * @property {number} [perSecond] the rate; as fast as it goes where there is none
 * @property {number} total how many requests
 *
 * @typedef {object} Done
 * @property {number} requests
 * @property {number} refused
 * @property {number} ms from the first request to the last answer
 * @property {number} p50 in ms
 * @property {number} p99 in ms
 * @property {number} behindMs the latest that a request was sent after it was due
 */

/** How often the due requests are sent. */
const TICK_MS = 1;

process.on("message", async (/** @type {Task} */ task) => {
  try {
    process.send?.({ done: await perform(task) }, () => process.disconnect());
  } catch (error) {
    process.send?.({ failed: String(error) }, () => process.disconnect());
  }
});

/**
 * @param {Task} task
 * @returns {Promise<Done>}
 */
async function perform({ shape, port, connections, perSecond, total }) {
  const next = requestsOf(shape);
  const all = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const free = [...all];
  /** @type {number[]} when those were due that have found no connection */
  const late = [];
  /** @type {number[]} */
  const took = [];
  let [sent, refused, behindMs] = [0, 0, 0];
  const start = performance.now();
  return new Promise((resolve, reject) => {
    /** @param {Connection} connection @param {number} due */
    const send = (connection, due) => {
      const now = performance.now();
      behindMs = Math.max(behindMs, now - due);
      // What the pacing itself is late by is not the server's.
      const from = now - due > 2 * TICK_MS ? due : now;
      connection.send(next()).then(({ status }) => {
        took.push(performance.now() - from);
        if (status < 200 || status > 299) refused += 1;
        const waiting = late.shift();
        if (waiting !== undefined) send(connection, waiting);
        else if (perSecond === undefined && sent < total) send(connection, dueNow());
        else free.push(connection);
        if (took.length === total) finish();
      }, reject);
    };
    const dueNow = () => ((sent += 1), performance.now());
    const pace = () => {
      const elapsed = performance.now() - start;
      for (; sent < Math.min(total, (elapsed * Number(perSecond)) / 1000); sent += 1) {
        const due = start + (sent * 1000) / Number(perSecond);
        const connection = free.pop();
        if (connection === undefined) late.push(due);
        else send(connection, due);
      }
      if (sent < total) setTimeout(pace, TICK_MS);
    };
    const finish = () => {
      const ms = performance.now() - start;
      for (const connection of all) connection.close();
      took.sort((a, b) => a - b);
      const percentile = (/** @type {number} */ share) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? NaN;
      resolve({ requests: took.length, refused, ms, p50: percentile(0.5), p99: percentile(0.99), behindMs });
    };
    if (perSecond !== undefined) pace();
    else for (const connection of free.splice(0, total)) send(connection, dueNow());
  });
}

/**
 * The same requests as wrk's script makes.
 * @param {Shape} shape
 * @returns {() => string}
 */
function requestsOf({ heads, fixes, ids, lagMs, tag }) {
  const clocks = heads.map(() => 0);
  let [turn, count] = [0, 0];
  const fix = (/** @type {number} */ capturedAt) => {
    count += 1;
    const lat = (45 + (count % 100_000) / 1e5).toFixed(5);
    const id = ids ? `,"id":"${tag}-${count}"` : "";
    return `{"lat":${lat},"lng":13.71234,"speed":12.5,"heading":90,"accuracy":5,"capturedAt":${capturedAt}${id}}`;
  };
  return () => {
    turn = (turn + 1) % heads.length;
    const head = heads[turn] ?? "";
    if (fixes === 0) return head;
    const captured = Math.max((clocks[turn] ?? 0) + 1, Date.now() - lagMs - fixes + 1);
    clocks[turn] = captured + fixes - 1;
    const all = Array.from({ length: fixes }, (_, index) => fix(captured + index));
    const body = fixes === 1 ? (all[0] ?? "") : `{"locations":[${all.join(",")}]}`;
    return `${head}${body.length}\r\n\r\n${body}`;
  };
}
