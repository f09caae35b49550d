// The Ably JWT, signed by WebCrypto.

/** @import { Env, Session } from "../shared/types.js" */

const encoder = new TextEncoder();
const URL_SAFE = /** @type {const} */ ({ alphabet: "base64url", omitPadding: true });

/** @type {{ key: CryptoKey, head: string } | undefined} what is the same for every token */
let signing;

/**
 * @param {Env} env
 * @param {Session} session
 * @param {string} capability
 * @param {string | undefined} job the one job that it is for, by which it can be revoked
 * @param {number} ttl
 * @param {number} now
 */
export async function ablyToken(env, session, capability, job, ttl, now) {
  signing ??= await signingOf(env.ABLY_API_KEY);
  const iat = Math.floor(now / 1000);
  const exp = Math.min(iat + Math.floor(Math.min(ttl, 900_000) / 1000), Math.floor(session.exp));
  const revocation = job === undefined ? undefined : `job:${job}`;
  const claims = JSON.stringify({
    iat,
    exp,
    "x-ably-capability": capability,
    "x-ably-clientId": session.sub,
    "x-ably-revocation-key": revocation,
  });
  const signed = `${signing.head}.${encoder.encode(claims).toBase64(URL_SAFE)}`;
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", signing.key, encoder.encode(signed)));
  return `${signed}.${signature.toBase64(URL_SAFE)}`;
}

/** @param {string} apiKey */
async function signingOf(apiKey) {
  const [kid, secret = ""] = apiKey.split(":");
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return { key, head: encoder.encode(JSON.stringify({ typ: "JWT", alg: "HS256", kid })).toBase64(URL_SAFE) };
}
