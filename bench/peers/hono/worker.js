// Peer (b): Towline's two routes as a Hono user writes them: middleware for ids, log lines and sessions, jose for JWTs, and an object that
// is called by RPC with what was parsed. What happens within the object is the same as in peer (a).

/** @import { Env, Post, Session } from "../shared/types.js" */
import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { requestId } from "hono/request-id";
import { errors, jwtVerify, SignJWT } from "jose";
import { JOB_ID, sessionOf, timesOf } from "../shared/claims.js";
import { BODY_MAX, checkPost } from "../shared/fix.js";
import { Job as Core } from "../shared/job.js";
import { capabilityOf, READS_ALL } from "../shared/policy.js";
import { ablyErrorOf, problemOf } from "../shared/problems.js";
import { directPublisher } from "../shared/publisher.js";

/** @typedef {import("hono").Context} Context */

const encoder = new TextEncoder();

const logger = createMiddleware(async (/** @type {Context} */ c, /** @type {() => Promise<void>} */ next) => {
  const started = Date.now();
  await next();
  c.header("cache-control", "private, no-store");
  c.header("x-content-type-options", "nosniff");
  const { status } = c.res;
  const level = status >= 500 ? "error" : "info";
  console.log(
    JSON.stringify({
      level,
      requestId: c.get("requestId"),
      method: c.req.method,
      route: c.req.routePath,
      status,
      ms: Date.now() - started,
    }),
  );
});

const session = createMiddleware(async (/** @type {Context} */ c, /** @type {() => Promise<void>} */ next) => {
  const [scheme, token] = (c.req.header("authorization") ?? "").split(" ");
  if (scheme !== "Bearer" || !token) return refuse(c, "session_missing");
  const asked = await verified(token, c.env).catch(() => undefined);
  if (asked === undefined) return refuse(c, "session_invalid");
  const times = timesOf(asked, Date.now());
  if (times !== "holds") return refuse(c, times === "renew" ? "session_expired" : "session_invalid");
  c.set("session", asked);
  return next();
});

const app = new Hono();
app.use(requestId());
app.use(logger);
app.use("/api/*", session);

app.get("/healthz", (/** @type {Context} */ c) => c.json({ status: "ok" }));

app.on(["GET", "POST"], "/api/ably-token", async (/** @type {Context} */ c) => {
  /** @type {Session} */
  const { sub, role, jobs, exp } = c.get("session");
  const { jobId, clientId, ttl = "900000" } = c.req.query();
  if (clientId !== undefined && clientId !== sub) return ablyError(c, "not_a_participant", 40102);
  if (role === "service" || (jobId !== undefined && !jobs.includes(jobId))) return ablyError(c, "not_a_participant", 40160);
  if (!(Number(ttl) >= 60_000)) return ablyError(c, "invalid_post", 40003);
  const [kid, secret] = c.env.ABLY_API_KEY.split(":");
  const now = Math.floor(Date.now() / 1000);
  const only = jobId ?? (jobs.length === 1 ? jobs[0] : undefined);
  const token = await new SignJWT({
    "x-ably-capability": capabilityOf(role, sub, jobId === undefined ? jobs : [jobId]),
    "x-ably-clientId": sub,
    ...(only === undefined ? {} : { "x-ably-revocation-key": `job:${only}` }),
  })
    .setProtectedHeader({ typ: "JWT", alg: "HS256", kid })
    .setIssuedAt(now)
    .setExpirationTime(Math.min(now + Math.min(Number(ttl), 900_000) / 1000, Math.floor(exp)))
    .sign(encoder.encode(secret));
  return c.body(token, 200, { "content-type": "application/jwt" });
});

const job = createMiddleware(async (/** @type {Context} */ c, /** @type {() => Promise<void>} */ next) => {
  if (!JOB_ID.test(c.req.param("jobId"))) return refuse(c, "invalid_job_id", { reason: "invalid_id" });
  return next();
});

app.post("/api/jobs/:jobId/location", job, async (/** @type {Context} */ c) => {
  const jobId = c.req.param("jobId");
  /** @type {Session} */
  const { sub, role, jobs } = c.get("session");
  if (role !== "driver" || !jobs.includes(jobId)) return refuse(c, "not_a_driver");
  const text = await c.req.text();
  if (text.length > BODY_MAX) return refuse(c, "too_large", { reason: "too_large" });
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return refuse(c, "invalid_post", { reason: "not_json", detail: "the body is not JSON" });
  }
  const post = checkPost(body, c.req.header("idempotency-key") ?? null);
  if ("problem" in post) {
    const { problem, ...more } = post;
    return refuse(c, problem, more);
  }
  const reply = await stub(c.env, jobId).accept(jobId, sub, post);
  return "problem" in reply ? refuse(c, reply.problem) : c.json(reply);
});

app.get("/api/jobs/:jobId/location", job, async (/** @type {Context} */ c) => {
  const jobId = c.req.param("jobId");
  /** @type {Session} */
  const { role, jobs } = c.get("session");
  if (!READS_ALL.has(role) && !jobs.includes(jobId)) return refuse(c, "not_a_participant");
  return c.json(await stub(c.env, jobId).state(jobId));
});

app.all("/api/ably-token", (/** @type {Context} */ c) => refuse(c, "method_not_allowed"));
app.all("/api/jobs/:jobId/location", (/** @type {Context} */ c) => refuse(c, "method_not_allowed"));
app.notFound((/** @type {Context} */ c) => refuse(c, "not_found"));
app.onError((/** @type {Error} */ error, /** @type {Context} */ c) => {
  console.error(JSON.stringify({ level: "error", requestId: c.get("requestId"), code: "failed", reason: String(error) }));
  return refuse(c, "internal");
});

export default app;

/**
 * The session that a token holds. Whether what has ended may be renewed is ours to judge: jose hands over what it says with the error.
 * @param {string} token
 * @param {Env} env
 */
async function verified(token, env) {
  const secret = encoder.encode(env.SESSION_SECRET);
  const options = { algorithms: ["HS256"], issuer: env.SESSION_ISSUER, audience: env.SESSION_AUDIENCE, clockTolerance: 5 };
  try {
    return sessionOf((await jwtVerify(token, secret, options)).payload, env);
  } catch (/** @type {any} */ error) {
    if (error instanceof errors.JWTExpired || (error instanceof errors.JWTClaimValidationFailed && error.claim === "nbf")) {
      return sessionOf(error.payload, env);
    }
    throw error;
  }
}

/**
 * @param {Env} env
 * @param {string} jobId
 */
function stub(env, jobId) {
  return env.JOBS.get(env.JOBS.idFromName(jobId));
}

/**
 * @param {Context} c
 * @param {string} problem
 * @param {object} [more]
 */
function refuse(c, problem, more = {}) {
  if (c.req.path === "/api/ably-token") return ablyError(c, problem);
  const { status, body } = problemOf({ problem, ...more });
  if (status === 401) c.header("www-authenticate", "Bearer");
  return c.body(JSON.stringify(body), status, { "content-type": "application/problem+json" });
}

/**
 * @param {Context} c
 * @param {string} problem
 * @param {number} [code]
 */
function ablyError(c, problem, code) {
  const error = ablyErrorOf({ problem }, code);
  c.header("x-ably-errorcode", String(error.code));
  return c.json(error.body, error.code === 40003 ? 400 : error.status);
}

/** @extends {DurableObject<Env>} */
export class Job extends DurableObject {
  #core;

  /**
   * @param {import("cloudflare:workers").State} state
   * @param {Env} env
   */
  constructor(state, env) {
    super(state, env);
    this.#core = new Core(state, env, directPublisher(env));
  }

  /**
   * @param {string} jobId
   * @param {string} driver
   * @param {Post} post
   */
  accept(jobId, driver, post) {
    return this.#core.accept(jobId, driver, post);
  }

  /** @param {string} jobId */
  state(jobId) {
    return this.#core.state(jobId);
  }

  alarm() {
    this.#core.alarm();
  }
}
