// What answers have in common.

import assert from "node:assert/strict";
import type { Answer } from "./http.ts";

const REQUEST_ID = /^[0-9a-f]{32}$/;

/** What every answer of an `/api` route carries. */
export function assertPrivate(answer: Answer): void {
  assert.match(answer.header("x-request-id") ?? "", REQUEST_ID);
  assert.equal(answer.header("x-content-type-options"), "nosniff");
  assert.equal(answer.header("cache-control"), "private, no-store");
}

/** Problem details (RFC 9457) with this `type`; answers them. */
export function assertProblem(answer: Answer, status: number, name: string): any {
  assert.equal(answer.status, status, answer.text);
  assertPrivate(answer);
  assert.equal(answer.header("content-type"), "application/problem+json");
  const problem = answer.json;
  assert.equal(problem.type, `urn:towline:problem:${name}`);
  assert.equal(problem.status, status);
  assert.ok(problem.title.length > 0);
  const members = ["type", "title", "status", "reason", "detail", "field"];
  assert.deepEqual(Object.keys(problem).filter((member) => !members.includes(member)), []);
  // Whoever is to mend a request is told what.
  if (status === 400) assert.match(problem.reason, /^[a-z0-9_]+$/);
  return problem;
}

/** An error in the shape that Ably's SDKs read; answers it. */
export function assertAblyError(answer: Answer, status: number, code: number): any {
  assert.equal(answer.status, status, answer.text);
  assertPrivate(answer);
  // With a charset, ably-js on Node would not read the body.
  assert.equal(answer.header("content-type"), "application/json");
  assert.equal(answer.header("x-ably-errorcode"), String(code));
  const { error, ...rest } = answer.json;
  assert.deepEqual(rest, {});
  assert.deepEqual(Object.keys(error).sort(), ["code", "href", "message", "statusCode"]);
  assert.equal(error.code, code);
  assert.equal(error.statusCode, status);
  assert.equal(error.href, `https://help.ably.io/error/${code}`);
  assert.ok(error.message.length > 0);
  return error;
}

/** A first state; answers what it tells besides how old it is, and when the driver was heard. */
export function assertState(answer: Answer): any {
  assert.equal(answer.status, 200, answer.text);
  assertPrivate(answer);
  assert.equal(answer.header("content-type"), "application/json");
  const { now, ageMs, lastHeard, ...state } = answer.json;
  assert.ok(Math.abs(now - Date.now()) < 30_000);
  assert.ok(lastHeard === undefined || lastHeard <= now);
  assert.equal(ageMs, state.capturedAt === undefined ? undefined : Math.max(0, now - state.capturedAt));
  return state;
}

/** The results of a post that was taken. */
export function assertTaken(answer: Answer, jobId: string): any[] {
  assert.equal(answer.status, 200, answer.text);
  assertPrivate(answer);
  assert.equal(answer.header("content-type"), "application/json");
  const { ok, jobId: job, epoch, results, ...rest } = answer.json;
  assert.deepEqual({ ok, job, rest }, { ok: true, job: jobId, rest: {} });
  assert.ok(epoch === null || Number.isSafeInteger(epoch));
  return results;
}
