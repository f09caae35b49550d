// What a load consists of, in words that both load generators understand: wrk, which goes as fast as it can, and ours, which keeps a rate.

import { driverSession } from "../workerd.mjs";

/**
 * @typedef {object} Shape
 * @property {string[]} heads one for each job, taken in turn: a whole request, or one that ends with `Content-Length: ` and lacks its body
 * @property {number} fixes in the body; 0 where there is none
 * @property {boolean} ids whether fixes have one
 * @property {number} lagMs how long ago a job's first fix was measured; each later one is a millisecond later at least
 * @property {string} tag no other load has it: fixes are told apart by it
 */

const HOST = "Host: bench\r\n";
const PATHS = { hello: "/", token: "/api/ably-token" };

/**
 * Requests of clients that each take part in so many jobs.
 * @param {"hello" | "token"} what
 * @param {number} clients
 * @param {number} jobs
 * @param {string} tag
 * @returns {Shape}
 */
export function gets(what, clients, jobs, tag) {
  const heads = Array.from({ length: clients }, (_, client) => {
    const session = driverSession(
      Array.from({ length: jobs }, (_, job) => `${tag}-${client}-${job}`),
      `driver-${client}`,
    );
    return `GET ${PATHS[what]} HTTP/1.1\r\n${HOST}Authorization: ${session}\r\n\r\n`;
  });
  return { heads, fixes: 0, ids: false, lagMs: 0, tag };
}

/**
 * Asks for the first state of jobs.
 * @param {string[]} jobs
 * @param {string} tag
 * @returns {Shape}
 */
export function states(jobs, tag) {
  const heads = jobs.map(
    (job) =>
      `GET /api/jobs/${job}/location HTTP/1.1\r\n${HOST}Authorization: ${driverSession([job], `customer-${job}`, "customer")}\r\n\r\n`,
  );
  return { heads, fixes: 0, ids: false, lagMs: 0, tag };
}

/**
 * Posts to jobs, each of a driver of its own.
 * @param {string[]} jobs
 * @param {{ fixes: number, ids: boolean, lagMs: number, tag: string }} options
 * @returns {Shape}
 */
export function posts(jobs, options) {
  const head = (/** @type {string} */ job) =>
    `POST /api/jobs/${job}/location HTTP/1.1\r\n${HOST}Authorization: ${driverSession([job], `driver-of-${job}`)}\r\n` +
    "Content-Type: application/json\r\nContent-Length: ";
  return { heads: jobs.map(head), ...options };
}
