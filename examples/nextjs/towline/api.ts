// Towline, asked by this server for whoever is signed in.

import "server-only";
import type { FirstState, Job, OpenJob, Problem } from "@towline/client";
import { towlineUrl } from "./url";

/** What Towline has answered; `problem.type` ends in its name. `next`: of a trail, the place after which its next page begins. */
export type Answer<T> = { ok: true; body: T; etag: string | null; next: string | undefined } | { ok: false; status: number; name: string; problem: Problem | undefined; body: unknown };

export interface Ask {
  method?: "GET" | "PUT" | "POST" | "DELETE";
  body?: unknown;
  /** The version that a change is made to, as its `ETag`. */
  ifMatch?: string;
  /** Whether there must be nothing yet: otherwise it is refused, and nothing is changed. */
  isNew?: boolean;
}

/** Asks Towline. Where it cannot be reached the answer has `status` 503 and the name `unreachable`: a page says so, and stays up. */
export async function ask<T>(token: string, path: `/api/${string}`, { method = "GET", body, ifMatch, isNew }: Ask = {}): Promise<Answer<T>> {
  const url = towlineUrl() + path;
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  if (ifMatch !== undefined) headers["if-match"] = ifMatch;
  if (isNew) headers["if-none-match"] = "*";
  let answer: Response;
  let value: unknown;
  try {
    const sent = body === undefined ? null : JSON.stringify(body);
    answer = await fetch(url, { method, headers, body: sent, cache: "no-store", signal: AbortSignal.timeout(10_000) });
    const text = await answer.text();
    value = /json/.test(answer.headers.get("content-type") ?? "") ? JSON.parse(text) : text;
  } catch {
    return { ok: false, status: 503, name: "unreachable", problem: undefined, body: undefined };
  }
  const next = /[?&]after=([^&>]*)[^>]*>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
  if (answer.ok) return { ok: true, body: value as T, etag: answer.headers.get("etag"), next };
  const problem = typeof value === "object" && value !== null && "type" in value ? (value as Problem) : undefined;
  return { ok: false, status: answer.status, name: problem?.type.split(":").at(-1) ?? "unknown", problem, body: value };
}

/** An id in a path. `.` and `..` are none, and would lead to another path: what stands here for them Towline refuses. */
export const segment = (id: string) => (/^\.{1,2}$/.test(id) ? "%20" : encodeURIComponent(id));

/** Where a job's vehicle is, for the first HTML. */
export const firstState = (token: string, jobId: string) => ask<FirstState>(token, `/api/jobs/${segment(jobId)}/location`);

export const job = (token: string, jobId: string) => ask<Job>(token, `/api/jobs/${segment(jobId)}`);

/** A list of jobs, page by page; what is known of it where a page fails. */
async function all<T>(token: string, path: `/api/jobs?${string}`): Promise<{ jobs: T[]; isWhole: boolean }> {
  const jobs: T[] = [];
  for (let next: string | null = ""; next !== null; ) {
    const answer: Answer<{ jobs: T[]; next: string | null }> = await ask(token, `${path}${next && `&after=${encodeURIComponent(next)}`}`);
    if (!answer.ok) return { jobs, isWhole: false };
    jobs.push(...answer.body.jobs);
    next = answer.body.next;
  }
  return { jobs, isWhole: true };
}

/** The open jobs of a driver or a customer. */
export const ownJobs = (token: string) => all<Job>(token, "/api/jobs?mine");

/** Every open job. */
export const openJobs = (token: string) => all<OpenJob>(token, "/api/jobs?state=open&limit=100");
