// Before it is measured a side is asked what it promises: the same questions for all, and they must answer alike. What is cheaper because it
// checks less would win otherwise.

import { sign } from "../scripts/dev/session.mjs";
import { driverSession, SESSION_SECRET } from "./workerd.mjs";

const JOB = "promises-0";
const OTHER = "promises-1";
const TOKEN = "/api/ably-token";
const PATH = `/api/jobs/${JOB}/location`;

/** @typedef {{ what: string, path: string, session?: string, body?: string, status: number, says?: object }} Question what an answer has to have */

/**
 * @param {number} seconds from now
 * @param {object} [claims]
 */
function sessionThatEnds(seconds, claims = {}) {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  return `Bearer ${sign({ sub: "driver-1", role: "driver", jobs: [JOB], exp, ...claims }, SESSION_SECRET)}`;
}

/** @returns {Question[]} */
function questions() {
  const now = Date.now() - 1_000;
  const driver = driverSession([JOB]);
  const fix = { lat: 45.5, lng: 13.5, speed: 12, heading: 90, accuracy: -1, capturedAt: now };
  const post = (/** @type {object | string} */ body) => ({
    path: PATH,
    session: driver,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const problem = (/** @type {string} */ name, /** @type {string} */ reason, /** @type {string} */ field) => ({
    type: `urn:towline:problem:${name}`,
    reason,
    field,
  });
  const results = (/** @type {object[]} */ ...all) => ({ ok: true, jobId: JOB, results: all });
  return [
    { what: "no session, for a token", path: TOKEN, status: 401, says: { error: { code: 40100 } } },
    { what: "a session that has just ended", path: TOKEN, session: sessionThatEnds(-60), status: 401, says: { error: { code: 40100 } } },
    { what: "a session that has long ended", path: TOKEN, session: sessionThatEnds(-6_000), status: 403, says: { error: { code: 40300 } } },
    {
      what: "a session that is not valid yet",
      path: TOKEN,
      session: sessionThatEnds(600, { nbf: Math.floor(Date.now() / 1000) + 300 }),
      status: 401,
    },
    { what: "a session that ends in a year", path: TOKEN, session: sessionThatEnds(365 * 86_400), status: 403 },
    { what: "a session of an unknown role", path: TOKEN, session: sessionThatEnds(600, { role: "king" }), status: 403 },
    { what: "a session with another signature", path: TOKEN, session: `${driver.slice(0, -4)}AAAA`, status: 403 },
    { what: "a token", path: TOKEN, session: driver, status: 200 },
    { what: "the same token again", path: TOKEN, session: driver, status: 200 },
    { what: "a token for another's job", path: `${TOKEN}?jobId=${OTHER}`, session: driver, status: 403, says: { error: { code: 40160 } } },
    {
      what: "a token for another user",
      path: `${TOKEN}?clientId=driver-2`,
      session: driver,
      status: 403,
      says: { error: { code: 40102 } },
    },
    { what: "no session, for a post", path: PATH, body: "{}", status: 401, says: { status: 401 } },
    { what: "a post to another's job", path: PATH, session: driverSession([OTHER]), body: JSON.stringify(fix), status: 403 },
    {
      what: "a post of a customer",
      path: PATH,
      session: driverSession([JOB], "customer-1", "customer"),
      body: JSON.stringify(fix),
      status: 403,
    },
    { what: "a post that is no JSON", ...post("{"), status: 400, says: { ...problem("invalid_post", "not_json", ""), field: undefined } },
    { what: "a post without a place", ...post({ lat: 1 }), status: 400, says: problem("invalid_fix", "required", "lng") },
    { what: "a place that is nowhere", ...post({ ...fix, lat: 91 }), status: 400, says: problem("invalid_fix", "out_of_range", "lat") },
    {
      what: "a time that is none",
      ...post({ ...fix, capturedAt: "soon" }),
      status: 400,
      says: problem("invalid_fix", "not_a_time", "capturedAt"),
    },
    {
      what: "a time in seconds",
      ...post({ ...fix, capturedAt: 1_700_000_000 }),
      status: 400,
      says: problem("invalid_fix", "in_seconds", "capturedAt"),
    },
    { what: "an id that is none", ...post({ ...fix, id: "" }), status: 400, says: problem("invalid_fix", "invalid_id", "id") },
    { what: "a batch of none", ...post({ locations: [] }), status: 400, says: problem("invalid_post", "empty", "locations") },
    {
      what: "a batch of too many",
      ...post({ locations: Array(101).fill(fix) }),
      status: 413,
      says: problem("too_large", "too_many", "locations"),
    },
    { what: "a fix", ...post(fix), status: 200, says: results({ status: "accepted", seq: 1 }) },
    { what: "the same fix", ...post(fix), status: 200, says: results({ status: "duplicate", seq: 1 }) },
    {
      what: "a fix with an id",
      ...post({ ...fix, capturedAt: now + 10, id: "a" }),
      status: 200,
      says: results({ status: "accepted", seq: 2 }),
    },
    { what: "it again", ...post({ ...fix, capturedAt: now + 10, id: "a" }), status: 200, says: results({ status: "duplicate", seq: 2 }) },
    {
      what: "its id at another place",
      ...post({ ...fix, lat: 46, capturedAt: now + 10, id: "a" }),
      status: 200,
      says: results({ status: "rejected", reason: "id_reused" }),
    },
    { what: "a late fix", ...post({ ...fix, capturedAt: now - 500 }), status: 200, says: results({ status: "late", seq: 3 }) },
    {
      what: "a fix of last week",
      ...post({ ...fix, capturedAt: now - 7 * 86_400_000 }),
      status: 200,
      says: results({ status: "rejected", reason: "too_old" }),
    },
    {
      what: "a batch of all kinds",
      ...post({
        locations: [{ ...fix, capturedAt: now + 30 }, { ...fix, capturedAt: now + 20 }, { ...fix, capturedAt: now + 30 }, { lat: 1 }, fix],
      }),
      status: 200,
      says: results(
        { status: "accepted", seq: 5 },
        { status: "accepted", seq: 4 },
        { status: "duplicate", seq: 5 },
        { status: "rejected", index: 3, reason: "required" },
        { status: "duplicate", seq: 1 },
      ),
    },
    {
      what: "the first state",
      path: PATH,
      session: driverSession([JOB], "customer-1", "customer"),
      status: 200,
      says: { seq: 5, fromSeq: 5, capturedAt: now + 30 },
    },
    { what: "the first state of another's job", path: PATH, session: driverSession([OTHER], "customer-1", "customer"), status: 403 },
    { what: "no such route", path: "/api/nothing", session: driver, status: 404 },
  ];
}

/**
 * What a side answers otherwise than it promises.
 * @param {string} url
 * @returns {Promise<string[]>}
 */
export async function brokenPromises(url) {
  const broken = [];
  for (const { what, path, session, body, status, says = {} } of questions()) {
    const headers = new Headers(session === undefined ? [] : [["authorization", session]]);
    const response = await fetch(`${url}${path}`, { headers, ...(body === undefined ? {} : { method: "POST", body }) });
    const text = await response.text();
    const answer = text.startsWith("{") ? JSON.parse(text) : {};
    if (response.status !== status || !has(answer, says)) broken.push(`${what}: ${response.status} ${text}`);
    if (response.headers.get("x-request-id") === null) broken.push(`${what}: the answer has no request id`);
  }
  return broken;
}

/** What the questions have posted, for the accounts. */
export const ASKED = { jobs: [JOB], least: 5, most: 5 };

/**
 * Whether all of `wanted` is in `value`, however much more there is.
 * @param {any} value
 * @param {any} wanted
 * @returns {boolean}
 */
function has(value, wanted) {
  if (typeof wanted !== "object" || wanted === null) return value === wanted;
  return typeof value === "object" && value !== null && Object.entries(wanted).every(([name, part]) => has(value[name], part));
}
