// The jobs of the demo at the service: those of this run begin, those of earlier runs end.

import { call, lasting } from "../drive/service.mjs";
import { Failure } from "../setup/steps.mjs";

/** What the ids of all runs' jobs begin with. */
export const PREFIX = "demo-";
/** How many jobs are read at once: a run leaves fewer. */
const PAGE = 20;

/**
 * @typedef {object} Board a dispatcher's
 * @property {string} url of the service
 * @property {string} session
 * @property {AbortSignal} stopping
 */

/**
 * Closes what earlier runs have left open. What somebody has made at the board stays.
 * @param {Board} board
 */
export async function closeEarlier(board) {
  for (let after = ""; ; ) {
    const { status, body } = await ask(board, `?state=open&limit=${PAGE}${after && `&after=${encodeURIComponent(after)}`}`);
    if (status !== 200) throw new Failure(`The list of open jobs is answered ${status}.`);
    const { jobs, next } = /** @type {{ jobs: { jobId: string }[], next: string | null }} */ (/** @type {unknown} */ (body));
    for (const { jobId } of jobs) if (jobId.startsWith(PREFIX)) await ask(board, `/${jobId}/close`, { body: { reason: "cancelled" } });
    if (next === null) return;
    after = next;
  }
}

/**
 * @param {Board} board
 * @param {import("./cast.mjs").Job[]} jobs
 */
export async function register(board, jobs) {
  for (const { jobId, ...job } of jobs) {
    const { status, type, detail } = await ask(board, `/${jobId}`, { method: "PUT", body: job });
    // 200 where the answer to the first try was lost.
    if (status !== 200 && status !== 201) throw new Failure(`The job ${jobId} cannot be registered: ${status} ${detail ?? type}.`);
  }
}

/**
 * @param {Board} board
 * @param {string} path below the jobs
 * @param {Parameters<typeof call>[3]} [options]
 */
function ask({ url, session, stopping }, path, options) {
  return lasting(() => call(url, session, `/api/jobs${path}`, options), stopping);
}
