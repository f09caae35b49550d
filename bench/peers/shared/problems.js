// RFC 9457 problem details, and Ably's shape of an error for the token route.

/** @import { Refusal } from "./types.js" */

/** @type {Record<string, { status: number, title: string }>} */
const PROBLEMS = {
  not_found: { status: 404, title: "There is no such route" },
  method_not_allowed: { status: 405, title: "The route does not answer this method" },
  session_missing: { status: 401, title: "The session is not accepted" },
  session_expired: { status: 401, title: "The session is not accepted" },
  session_invalid: { status: 403, title: "The session is not accepted" },
  not_a_participant: { status: 403, title: "The session does not take part in this job" },
  not_a_driver: { status: 403, title: "Only a driver of the job may post its location" },
  invalid_job_id: { status: 400, title: "The job id is not valid" },
  invalid_post: { status: 400, title: "The post is not valid" },
  invalid_fix: { status: 400, title: "The fix is not valid" },
  too_large: { status: 413, title: "A post is at most 64 KiB long and holds at most 100 fixes" },
  backlog: { status: 503, title: "Too much of this job waits for Ably" },
  internal: { status: 500, title: "Something went wrong here" },
};

/** @type {Record<number, number>} */
const ABLY_CODES = { 401: 40100, 403: 40300, 404: 40400, 405: 40500, 500: 50000 };

/** @param {Refusal} refusal */
export function problemOf(refusal) {
  const { problem, ...more } = refusal;
  const { status, title } = PROBLEMS[problem] ?? { status: 500, title: "Something went wrong here" };
  return { status, body: { type: `urn:towline:problem:${problem}`, title, status, ...more } };
}

/**
 * The same, as Ably's SDKs read it.
 * @param {Refusal} refusal
 * @param {number} [code]
 */
export function ablyErrorOf(refusal, code) {
  const { status, body } = problemOf(refusal);
  const errorCode = code ?? ABLY_CODES[status] ?? status * 100;
  const message = refusal.detail ?? body.title;
  return {
    status,
    code: errorCode,
    body: { error: { code: errorCode, statusCode: status, message, href: `https://help.ably.io/error/${errorCode}` } },
  };
}
