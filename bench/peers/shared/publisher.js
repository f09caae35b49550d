// Publishes over Ably's REST API.

/** @import { Env, Outcome, Publish } from "./types.js" */

/** What became of a message of which nothing was heard. @type {Outcome} */
export const NO_ANSWER = { status: 0, code: 0, retryAfterMs: 0 };

/**
 * Each job publishes by itself.
 * @param {Env} env
 * @returns {Publish}
 */
export function directPublisher(env) {
  const post = ablyOf(env);
  return (channel, message, signal) => post(messagesPath(channel), message, signal);
}

/** @param {string} channel */
export function messagesPath(channel) {
  return `/channels/${encodeURIComponent(channel)}/messages`;
}

/** @typedef {Outcome & { text: string }} Answer what Ably says to a request */

/**
 * Posts to Ably; never throws.
 * @param {Env} env
 * @returns {(path: string, body: string, signal: AbortSignal) => Promise<Answer>}
 */
export function ablyOf(env) {
  const headers = new Headers({
    authorization: `Basic ${btoa(env.ABLY_API_KEY)}`,
    "content-type": "application/json",
    accept: "application/json",
    "x-ably-version": "6",
  });
  return async (path, body, signal) => {
    try {
      const response = await fetch(`${env.ABLY_REST_URL}${path}`, { method: "POST", headers, body, signal });
      // Read to its end: a body that is left unread costs the connection.
      const text = await response.text();
      if (response.ok) return { status: response.status, code: 0, retryAfterMs: 0, text };
      return { status: response.status, code: codeIn(text), retryAfterMs: 1_000 * (Number(response.headers.get("retry-after")) || 0), text };
    } catch {
      return { ...NO_ANSWER, text: "" };
    }
  };
}

/** @param {string} text */
function codeIn(text) {
  try {
    return Number(JSON.parse(text).error.code) || 0;
  } catch {
    return 0;
  }
}
