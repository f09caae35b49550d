// Session tokens as the platform's own back end would issue them: HS256 JWTs.

import { createHmac } from "node:crypto";

/** The roles that a developer gets a session for. A driver and a customer take part in one job. */
const ROLES = /** @type {const} */ (["driver", "dispatcher", "customer", "admin"]);

/** How long a session lasts, where `SESSION_MAX_HOURS` does not ask for less. */
const HOURS = 12;

/** @typedef {Record<typeof ROLES[number], string>} Sessions */

/**
 * One session token per role.
 * @param {object} options
 * @param {string} options.secret its UTF-8 bytes are the HMAC key
 * @param {string} options.jobId the job of the driver and of the customer
 * @param {number} options.now epoch milliseconds
 * @param {NodeJS.ProcessEnv} [options.settings] the service's own: its issuer, its audience, its longest session
 * @returns {Sessions}
 */
export function sessions({ secret, jobId, now, settings = {} }) {
  const hours = Math.min(HOURS, Number(settings.SESSION_MAX_HOURS) || HOURS);
  // A minute less than the longest, since the service's clock need not be this one.
  const exp = Math.floor(now / 1000 + hours * 3600 - 60);
  /** @param {typeof ROLES[number]} role */
  const token = (role) =>
    sign(
      {
        sub: `${role}-1`,
        role,
        exp,
        ...(role === "driver" || role === "customer" ? { jobs: [jobId] } : {}),
        ...(settings.SESSION_ISSUER ? { iss: settings.SESSION_ISSUER } : {}),
        ...(settings.SESSION_AUDIENCE ? { aud: settings.SESSION_AUDIENCE } : {}),
      },
      secret,
    );
  return { driver: token("driver"), dispatcher: token("dispatcher"), customer: token("customer"), admin: token("admin") };
}

/**
 * A JWT, signed by HS256.
 * @param {object} claims
 * @param {string} secret its UTF-8 bytes are the HMAC key
 */
export function sign(claims, secret) {
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
