// What is measured.

/** @typedef {(typeof SCENARIOS)[number]["name"]} ScenarioName */

/**
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} what
 * @property {"hello" | "token" | "post" | "state" | "storm" | "cold"} kind
 * @property {number} [jobs] over how many it goes; of a token, how many a session has
 * @property {number} [fixes] in a post; 1 if it is not said
 * @property {boolean} [ids] whether fixes have ids
 * @property {number} [connections]
 * @property {number} [rows] how many rows each log holds before
 * @property {boolean} [begun] whether each job has been posted to before: so many the warm-up would not meet
 * @property {number} [failsOneIn] one request to Ably of so many fails
 * @property {number} [lagMs] how long ago the first fix was measured; see below
 */

/** Drivers who ask for tokens, each with a session of their own. */
export const CLIENTS = 200;
/** Who renews at once in the token storm. */
export const STORM = 1_000;
/** Storms in a round: one is over too soon to tell much. */
export const STORMS = 3;
export const CONNECTIONS = 32;

/**
 * Where one job gets thousands of fixes a second, its clock runs ahead of the time: it advances by a millisecond a fix. It begins so long
 * ago that it stays behind the time, and within the minute in which a fix counts as prompt.
 */
const CATCHING_UP_MS = 45_000;

export const SCENARIOS = /** @type {const} @satisfies {readonly Scenario[]} */ ([
  { name: "hello", what: "hello", kind: "hello" },
  { name: "token", what: "token, 1 job", kind: "token", jobs: 1 },
  { name: "token-20", what: "token, 20 jobs", kind: "token", jobs: 20 },
  { name: "fix", what: "one fix, 200 jobs", kind: "post", jobs: 200 },
  { name: "fix-1000", what: "one fix, 1,000 jobs", kind: "post", jobs: 1_000, begun: true },
  { name: "fix-ids", what: "the same, with ids", kind: "post", jobs: 200, ids: true },
  { name: "hot", what: "hot job, 64 connections", kind: "post", jobs: 1, connections: 64, lagMs: CATCHING_UP_MS },
  { name: "batch", what: "batch of 10, 200 jobs", kind: "post", jobs: 200, fixes: 10 },
  { name: "state", what: "first state, 200 jobs", kind: "state", jobs: 200 },
  { name: "rows", what: "one fix, 10,000 rows", kind: "post", jobs: 1, rows: 10_000, lagMs: CATCHING_UP_MS },
  { name: "rows-ids", what: "the same, with ids", kind: "post", jobs: 1, rows: 10_000, ids: true, lagMs: CATCHING_UP_MS },
  { name: "failing", what: "one fix, 5 % of requests to Ably fail", kind: "post", jobs: 200, failsOneIn: 20 },
  { name: "storm", what: "token storm, 1,000 clients", kind: "storm", jobs: 3 },
  { name: "cold", what: "cold start to a token", kind: "cold", jobs: 1 },
]);
