// What a session must say, once its signature holds.

/** @import { Env, Session } from "./types.js" */

const ROLES = new Set(["driver", "dispatcher", "customer", "admin", "service"]);
const USER_ID = /^[!-~]{1,128}$/;
const NOT_IN_USER_ID = /[:*,/[\]]/;
export const JOB_ID = /^[A-Za-z0-9._-]{1,64}$/;
const JOBS_MAX = 50;
const SESSION_S = 24 * 3600;
/** How long after its end a session may still be renewed. */
export const RENEWAL_S = 300;
/** How far our clock and the issuer's may be apart. */
const LEEWAY_S = 5;

/**
 * The session that these claims make, or nothing where they make none. Its times are checked at each use: see {@link timesOf}.
 * @param {any} claims
 * @param {Env} env
 * @returns {Session | undefined}
 */
export function sessionOf(claims, env) {
  if (typeof claims !== "object" || claims === null) return undefined;
  const { sub, role, jobs = [], exp, nbf = 0, iat = 0, iss, aud } = claims;
  const isUser = typeof sub === "string" && USER_ID.test(sub) && !NOT_IN_USER_ID.test(sub);
  const areJobs = Array.isArray(jobs) && jobs.length <= JOBS_MAX && jobs.every((job) => typeof job === "string" && JOB_ID.test(job));
  const areTimes = [exp, nbf, iat].every((time) => Number.isFinite(time));
  const isFrom = env.SESSION_ISSUER === undefined || iss === env.SESSION_ISSUER;
  const isFor = env.SESSION_AUDIENCE === undefined || [aud].flat().includes(env.SESSION_AUDIENCE);
  return isUser && ROLES.has(role) && areJobs && areTimes && isFrom && isFor ? { sub, role, jobs, exp, nbf, iat } : undefined;
}

/**
 * Whether the session holds now.
 * @param {Session} session
 * @param {number} nowMs
 * @returns {"holds" | "renew" | "over"}
 */
export function timesOf(session, nowMs) {
  const now = nowMs / 1000;
  if (session.exp > now + SESSION_S + LEEWAY_S) return "over";
  if (session.exp <= now) return session.exp > now - RENEWAL_S ? "renew" : "over";
  return Math.max(session.nbf, session.iat) > now + LEEWAY_S ? "renew" : "holds";
}
