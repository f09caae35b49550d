// Sessions: HS256 by WebCrypto, and a cache of those that were verified. The key of the cache is the whole token, and the times are
// checked at each use: so it answers nothing that a verification would not.

/** @import { Env, Session } from "../shared/types.js" */
import { sessionOf, timesOf } from "../shared/claims.js";

const TOKEN_MAX = 8 * 1024;
const CACHED_MAX = 4_096;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @typedef {Session & { capability?: string }} Known a session, and what is worked out from it once */
/** @typedef {{ session: Known } | { problem: "session_missing" | "session_expired" | "session_invalid" }} Asked */

/** @type {Map<string, Known>} */
const verified = new Map();
/** @type {CryptoKey | undefined} */
let key;

/**
 * Who asks, where that is known without waiting.
 * @param {Request} request
 * @param {number} now
 * @returns {Asked | string} the token, where it has to be verified
 */
export function known(request, now) {
  const header = request.headers.get("authorization");
  if (header === null || !header.startsWith("Bearer ")) return { problem: "session_missing" };
  const token = header.slice(7);
  const session = verified.get(token);
  return session === undefined ? token : timely(session, now);
}

/**
 * @param {string} token
 * @param {Env} env
 * @param {number} now
 * @returns {Promise<Asked>}
 */
export async function verify(token, env, now) {
  const session = await read(token, env).catch(() => undefined);
  if (session === undefined) return { problem: "session_invalid" };
  // The oldest goes: a Map keeps the order in which they came.
  if (verified.size >= CACHED_MAX)
    for (const [oldest] of verified) {
      verified.delete(oldest);
      break;
    }
  verified.set(token, session);
  return timely(session, now);
}

/**
 * @param {Known} session
 * @param {number} now
 * @returns {Asked}
 */
function timely(session, now) {
  const times = timesOf(session, now);
  return times === "holds" ? { session } : { problem: times === "renew" ? "session_expired" : "session_invalid" };
}

/**
 * @param {string} token
 * @param {Env} env
 */
async function read(token, env) {
  const end = token.lastIndexOf(".");
  const middle = token.indexOf(".");
  if (token.length > TOKEN_MAX || middle < 0 || middle === end) return undefined;
  // The algorithm is ours to choose: a token that names another one is refused, and none is ever looked up by it.
  if (JSON.parse(text(token.slice(0, middle))).alg !== "HS256") return undefined;
  key ??= await crypto.subtle.importKey("raw", encoder.encode(env.SESSION_SECRET), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const signature = Uint8Array.fromBase64(token.slice(end + 1), { alphabet: "base64url" });
  if (!(await crypto.subtle.verify("HMAC", key, signature, encoder.encode(token.slice(0, end))))) return undefined;
  return sessionOf(JSON.parse(text(token.slice(middle + 1, end))), env);
}

/** @param {string} part */
function text(part) {
  return decoder.decode(Uint8Array.fromBase64(part, { alphabet: "base64url" }));
}
