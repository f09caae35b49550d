// Peer (a): Towline's two routes in JavaScript, tuned by hand. No framework; the path is cut from the URL; a session that was verified is
// not verified again; a post crosses to its object as text, and its answer comes back as text.

/** @import { Env, Publish, Refusal } from "../shared/types.js" */
import { DurableObject } from "cloudflare:workers";
import { JOB_ID } from "../shared/claims.js";
import { BODY_MAX, readPost } from "../shared/fix.js";
import { Job as Core } from "../shared/job.js";
import { capabilityOf, READS_ALL } from "../shared/policy.js";
import { ablyErrorOf, problemOf } from "../shared/problems.js";
import { directPublisher } from "../shared/publisher.js";
import { known, verify } from "./session.js";
import { ablyToken } from "./token.js";

/** @typedef {import("./session.js").Known} Known */
/** @typedef {{ status: number, type: string, body: string, more?: Record<string, string> }} Answer */

const TOKEN_PATH = "/api/ably-token";
const JOBS_PATH = "/api/jobs/";
const LOCATION = "/location";
const JSON_TYPE = "application/json";

export default {
  /**
   * @param {Request} request
   * @param {Env} env
   */
  async fetch(request, env) {
    const started = Date.now();
    const requestId = crypto.randomUUID();
    const path = pathOf(request.url);
    const route =
      path === TOKEN_PATH ? TOKEN_PATH : path.startsWith(JOBS_PATH) ? "/api/jobs/{jobId}/location" : path === "/healthz" ? path : "none";
    let answer;
    try {
      answer = await answerTo(request, env, path, started);
    } catch (error) {
      console.error(JSON.stringify({ level: "error", requestId, code: "failed", reason: String(error) }));
      answer = refuse({ problem: "internal" }, path);
    }
    const { status, type, body, more } = answer;
    console.log(
      `{"level":"${status >= 500 ? "error" : "info"}","requestId":"${requestId}","method":"${request.method}","route":"${route}","status":${status},"ms":${Date.now() - started}}`,
    );
    const headers = {
      "content-type": type,
      "x-request-id": requestId,
      "cache-control": "private, no-store",
      "x-content-type-options": "nosniff",
    };
    return new Response(body, { status, headers: more === undefined ? headers : { ...headers, ...more } });
  },
};

/**
 * @param {Request} request
 * @param {Env} env
 * @param {string} path
 * @param {number} now
 * @returns {Promise<Answer>}
 */
async function answerTo(request, env, path, now) {
  if (path === "/healthz") return { status: 200, type: JSON_TYPE, body: '{"status":"ok"}' };
  const isToken = path === TOKEN_PATH;
  const jobId = isToken ? "" : path.slice(JOBS_PATH.length, -LOCATION.length);
  if (!isToken && !(path.startsWith(JOBS_PATH) && path.endsWith(LOCATION))) return refuse({ problem: "not_found" }, path);
  const { method } = request;
  if (method !== "GET" && method !== "POST") return refuse({ problem: "method_not_allowed" }, path);
  let asked = known(request, now);
  if (typeof asked === "string") asked = await verify(asked, env, now);
  if ("problem" in asked) return refuse(asked, path);
  const { session } = asked;
  if (isToken) return token(request, env, session, now);
  if (!JOB_ID.test(jobId)) return refuse({ problem: "invalid_job_id", reason: "invalid_id" }, path);
  return method === "POST" ? post(request, env, session, jobId) : state(env, session, jobId);
}

/**
 * @param {Request} request
 * @param {Env} env
 * @param {Known} session
 * @param {number} now
 * @returns {Promise<Answer>}
 */
async function token(request, env, session, now) {
  const query = request.url.indexOf("?");
  const params = query < 0 ? undefined : new URLSearchParams(request.url.slice(query));
  const jobId = params?.get("jobId") ?? undefined;
  const isOther = params?.has("clientId") && params.get("clientId") !== session.sub;
  if (isOther) return ablyRefusal({ problem: "not_a_participant", detail: "`clientId` is another user's" }, 40102);
  if (session.role === "service" || (jobId !== undefined && !session.jobs.includes(jobId))) {
    return ablyRefusal({ problem: "not_a_participant", detail: "the session gives no access to the job that `jobId` asks for" }, 40160);
  }
  const ttl = Number(params?.get("ttl") ?? 900_000);
  if (!(ttl >= 60_000)) return ablyRefusal({ problem: "invalid_post", detail: "`ttl` is at least 60000" }, 40003);
  const capability =
    jobId === undefined
      ? (session.capability ??= capabilityOf(session.role, session.sub, session.jobs))
      : capabilityOf(session.role, session.sub, [jobId]);
  const only = jobId ?? (session.jobs.length === 1 ? session.jobs[0] : undefined);
  const body = await ablyToken(env, session, capability, only, ttl, now);
  return { status: 200, type: "application/jwt", body };
}

/**
 * @param {Request} request
 * @param {Env} env
 * @param {Known} session
 * @param {string} jobId
 * @returns {Promise<Answer>}
 */
async function post(request, env, session, jobId) {
  if (session.role !== "driver" || !session.jobs.includes(jobId)) return refuse({ problem: "not_a_driver" }, "");
  if (Number(request.headers.get("content-length") ?? 0) > BODY_MAX) return refuse({ problem: "too_large", reason: "too_large" }, "");
  const body = await request.text();
  if (body.length > BODY_MAX) return refuse({ problem: "too_large", reason: "too_large" }, "");
  const reply = await stubOf(env, jobId).post(jobId, session.sub, body, request.headers.get("idempotency-key"));
  return typeof reply === "string" ? { status: 200, type: JSON_TYPE, body: reply } : refuse(reply, "");
}

/**
 * @param {Env} env
 * @param {Known} session
 * @param {string} jobId
 * @returns {Promise<Answer>}
 */
async function state(env, session, jobId) {
  if (!READS_ALL.has(session.role) && !session.jobs.includes(jobId)) return refuse({ problem: "not_a_participant" }, "");
  return { status: 200, type: JSON_TYPE, body: await stubOf(env, jobId).state(jobId) };
}

/**
 * A new stub for each call: after an exception a stub stays broken.
 * @param {Env} env
 * @param {string} jobId
 */
function stubOf(env, jobId) {
  return env.JOBS.get(env.JOBS.idFromName(jobId));
}

/** @param {string} url */
function pathOf(url) {
  const start = url.indexOf("/", 8);
  const query = url.indexOf("?", start);
  return query < 0 ? url.slice(start) : url.slice(start, query);
}

/**
 * @param {Refusal} refusal
 * @param {string} path
 * @returns {Answer}
 */
function refuse(refusal, path) {
  if (path === TOKEN_PATH) return ablyRefusal(refusal);
  const { status, body } = problemOf(refusal);
  return {
    status,
    type: "application/problem+json",
    body: JSON.stringify(body),
    more: status === 401 ? { "www-authenticate": "Bearer" } : undefined,
  };
}

/**
 * @param {Refusal} refusal
 * @param {number} [code]
 * @returns {Answer}
 */
function ablyRefusal(refusal, code) {
  const error = ablyErrorOf(refusal, code);
  return {
    status: error.code === 40003 ? 400 : error.status,
    type: JSON_TYPE,
    body: JSON.stringify(error.body),
    more: { "x-ably-errorcode": String(error.code) },
  };
}

/** @extends {DurableObject<Env>} */
export class Job extends DurableObject {
  #core;

  /**
   * @param {import("cloudflare:workers").State} state
   * @param {Env} env
   * @param {Publish} publish
   */
  constructor(state, env, publish = directPublisher(env)) {
    super(state, env);
    this.#core = new Core(state, env, publish);
  }

  /**
   * @param {string} jobId
   * @param {string} driver
   * @param {string} text
   * @param {string | null} key
   * @returns {string | Refusal}
   */
  post(jobId, driver, text, key) {
    const post = readPost(text, key);
    if ("problem" in post) return post;
    const reply = this.#core.accept(jobId, driver, post);
    return "problem" in reply ? reply : JSON.stringify(reply);
  }

  /** @param {string} jobId */
  state(jobId) {
    return JSON.stringify(this.#core.state(jobId));
  }

  alarm() {
    this.#core.alarm();
  }
}
