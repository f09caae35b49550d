// Whether the fleet got what it was promised: each fix once and in order at each subscriber, nothing left to send, nothing refused by Ably.

/** @import { Posted } from "./drivers.mjs" */
/** @import { Limit } from "./meter.mjs" */
/** @import { Received } from "./subscribers.mjs" */

/** @typedef {{ state: string, waiting: number, setAside: unknown[] }} Outbox as the service tells of it */

/** How many faults of a kind are told: the others are alike. */
const FAULTS_MAX = 5;

/**
 * @param {string[]} jobs
 * @param {{ posted: Posted, received: Received, outboxes: Outbox[], limits: Limit[] }} seen
 */
export function faultsOf(jobs, { posted, received, outboxes, limits }) {
  const atSubscribers = received.all.flatMap(({ job, fixes, times, wrong }) => {
    const given = posted.jobs[job] ?? { fixes: 0, times: 0 };
    if (wrong !== undefined) return [`a subscriber of ${jobs[job]} got something wrong: ${wrong}`];
    if (fixes !== given.fixes) return [`a subscriber of ${jobs[job]} got ${fixes} of ${given.fixes} fixes`];
    return times === given.times ? [] : [`a subscriber of ${jobs[job]} got other fixes than were posted`];
  });
  const inOutboxes = outboxes.flatMap(({ state, waiting, setAside }, job) =>
    state === "idle" && waiting === 0 && setAside.length === 0
      ? []
      : [`${jobs[job]} has ${waiting} fixes to send and ${setAside.length} messages set aside: ${state}`],
  );
  const refused = limits
    .filter((limit) => limit.refused > 0)
    .map((limit) => `Ably refused ${limit.refused} beside ${limit.admitted}: ${limit.metric}`);
  const broken = posted.broken === 0 ? [] : [`${posted.broken} posts got no answer: whether they were accepted nobody knows`];
  return [atSubscribers, inOutboxes, refused, broken].flatMap((faults) =>
    faults.length <= FAULTS_MAX ? faults : [...faults.slice(0, FAULTS_MAX), `and ${faults.length - FAULTS_MAX} more`],
  );
}
