// Posts fixes when they are due, in order, and each until the service has answered what has become of it.

import { Failure } from "../setup/steps.mjs";
import { mayPass } from "./service.mjs";

/**
 * @typedef {object} Fix as it is posted
 * @property {string} id by it the service recognises a retry
 * @property {number} lat
 * @property {number} lng
 * @property {number} [altitude]
 * @property {number} [speed]
 * @property {number} [heading]
 * @property {number} [accuracy]
 * @property {number} capturedAt Unix milliseconds; no fix leaves before
 *
 * @typedef {object} Answer
 * @property {number} [status] of HTTP; none where nothing was answered
 * @property {string} [type] the name of a problem, without what all of them begin with
 * @property {string} [detail] of a problem
 * @property {number} [retryAfterMs]
 * @property {{ status: string, reason?: string }[]} [results] of a 200
 *
 * @typedef {object} Progress
 * @property {number} sent how many fixes the service has answered for; it never goes back
 * @property {Record<string, number>} became how many of them were accepted, late, duplicate, or rejected with which reason
 * @property {string} [trouble] why those that are due wait
 *
 * @typedef {object} Clock
 * @property {() => number} now Unix milliseconds
 * @property {(ms: number) => Promise<void>} wait also where there is nothing to wait for; ends early when it is to stop
 */

/** The service takes no more at once. */
const MOST = 100;
/** How long to wait after a failure, when the service does not say: twice as long each time. */
const PAUSE_MS = { first: 500, longest: 30_000 };
/** Reasons for which the service takes no fix of this driver's any more. */
const OVER = ["job_closed", "reassigned"];

/**
 * Returns when all are posted, or when it is to stop; fails where the service will never take them.
 * @param {Fix[]} fixes in the order of their times
 * @param {object} by
 * @param {(fixes: Fix[]) => Promise<Answer>} by.post
 * @param {Clock} by.clock
 * @param {Progress} by.progress is kept up to date meanwhile
 * @param {AbortSignal} by.stop
 */
export async function replay(fixes, { post, clock, progress, stop }) {
  let most = MOST;
  let failures = 0;
  for (let next = fixes[0]; next !== undefined; next = fixes[progress.sent]) {
    await clock.wait(next.capturedAt - clock.now());
    if (stop.aborted) return;
    const now = clock.now();
    const due = fixes.slice(progress.sent, progress.sent + most).filter(({ capturedAt }) => capturedAt <= now);
    if (due.length === 0) continue;
    const answer = await post(due);
    if (answer.status === 200) {
      count(progress, due, answer.results ?? []);
      failures = 0;
    } else if (answer.status === 413 && due.length > 1) {
      most = Math.ceil(due.length / 2);
    } else if (mayPass(answer.status)) {
      const pause = answer.retryAfterMs ?? Math.min(PAUSE_MS.longest, PAUSE_MS.first * 2 ** failures);
      failures += 1;
      progress.trouble = `${said(answer)}; sent again in ${Math.ceil(pause / 1000)} s`;
      await clock.wait(pause);
    } else {
      throw new Failure(`The service does not take this drive: ${said(answer)}.`);
    }
  }
}

/**
 * @param {Progress} progress
 * @param {Fix[]} due
 * @param {{ status: string, reason?: string }[]} results
 */
function count(progress, due, results) {
  for (const { status, reason } of results) {
    const what = reason === undefined ? status : `${status} (${reason})`;
    progress.became[what] = (progress.became[what] ?? 0) + 1;
  }
  progress.sent += due.length;
  delete progress.trouble;
  const over = OVER.find((reason) => results.every((result) => result.reason === reason));
  if (over !== undefined) throw new Failure(`The job takes nothing of this driver any more: ${over}.`);
}

/** @param {Answer} answer */
function said({ status, type, detail }) {
  return status === undefined ? "the service does not answer" : [status, type, detail && `(${detail})`].filter(Boolean).join(" ");
}
