// The service as a program of a driver, or of a dispatcher, calls it.

import { setTimeout as delay } from "node:timers/promises";

/** What each problem's type begins with. */
const PROBLEM = "urn:towline:problem:";
/** After so long without an answer there will be none. */
const PATIENCE_MS = 10_000;
/** After a failure that may pass, where the service does not say how long to wait. */
const PAUSE_MS = 1_000;

/**
 * @typedef {object} Called
 * @property {number} [status] none where nothing was answered
 * @property {{ [member: string]: unknown }} body what was answered, where that was JSON
 * @property {string} [type] the name of a problem
 * @property {string} [detail]
 * @property {number} [retryAfterMs]
 * @property {string} [etag]
 */

/**
 * Calls a route. That there is no answer is an answer, too.
 * @param {string} url of the service
 * @param {string} session
 * @param {string} path
 * @param {{ method?: string, body?: unknown, headers?: Record<string, string> }} [options]
 * @returns {Promise<Called>}
 */
export async function call(url, session, path, { method, body, headers = {} } = {}) {
  try {
    const response = await fetch(new URL(path, url), {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: { authorization: `Bearer ${session}`, ...headers },
      signal: AbortSignal.timeout(PATIENCE_MS),
      redirect: "manual",
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const answered = parsed(text);
    const type = typeof answered.type === "string" ? answered.type.replace(PROBLEM, "") : undefined;
    const seconds = Number(response.headers.get("retry-after") ?? "none");
    return {
      status: response.status,
      body: answered,
      ...(type !== undefined && { type }),
      ...(typeof answered.detail === "string" && { detail: answered.detail }),
      ...(seconds >= 0 && { retryAfterMs: seconds * 1000 }),
      etag: response.headers.get("etag") ?? undefined,
    };
  } catch {
    return { body: {} };
  }
}

/**
 * @param {string} text
 * @returns {{ [member: string]: unknown }}
 */
function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/**
 * Whether the same may be taken another time: of an answer that says nothing about what was sent.
 * @param {number | undefined} status
 */
export function mayPass(status) {
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

/**
 * Asks until there is an answer that stays.
 * @param {() => Promise<Called>} ask
 * @param {AbortSignal} stopping
 */
export async function lasting(ask, stopping) {
  for (;;) {
    const answer = await ask();
    if (!mayPass(answer.status)) return answer;
    await delay(answer.retryAfterMs ?? PAUSE_MS, undefined, { signal: stopping });
  }
}
