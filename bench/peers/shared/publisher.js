// Publishes over Ably's REST API.

/** @import { Env, Publish } from "./types.js" */

/**
 * @param {Env} env
 * @returns {Publish}
 */
export function directPublisher(env) {
  const headers = new Headers({
    authorization: `Basic ${btoa(env.ABLY_API_KEY)}`,
    "content-type": "application/json",
    accept: "application/json",
    "x-ably-version": "6",
  });
  return async (channel, body, signal) => {
    try {
      const response = await fetch(`${env.ABLY_REST_URL}/channels/${encodeURIComponent(channel)}/messages`, {
        method: "POST",
        headers,
        body,
        signal,
      });
      // Read to its end: a body that is left unread costs the connection.
      const text = await response.text();
      if (response.ok) return { status: response.status, code: 0, retryAfterMs: 0 };
      return { status: response.status, code: codeIn(text), retryAfterMs: 1_000 * (Number(response.headers.get("retry-after")) || 0) };
    } catch {
      return { status: 0, code: 0, retryAfterMs: 0 };
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
