// Inputs of a job, for tests.

import type { Input } from "../../src/view/types.ts";
import type { FirstState, TrailPage } from "../../src/wire.ts";

/** The time of the epoch, Unix milliseconds by the service's clock. */
export const T = 1_795_564_722_000;
export const E = 1_795_564_722;
export const JOB = "job-1";

/** A fix of this `seq`; accepted at `T + 1000 * seq`, and measured 100 ms before. */
export const fix = (seq: number, more: object = {}) => ({ jobId: JOB, epoch: E, seq, fromSeq: seq, lat: seq, lng: -seq, ts: T + 1_000 * seq, capturedAt: T + 1_000 * seq - 100, ...more });

export const moved = (seq: number, more: object = {}, at = 0): Input => ({ is: "message", name: "location.updated", data: fix(seq, more), at });

export const event = (name: string, more: object, at = 0): Input => ({ is: "message", name, data: { jobId: JOB, epoch: E, afterSeq: 0, version: 1, ts: T, ...more }, at });

export const first = (state: object, asked = 0, at = asked): Input => ({ is: "first", state: { jobId: JOB, now: T, ...state } as FirstState, asked, at });

/** The first state with this fix, 150 ms after it was measured. */
export const stateAt = (seq: number, more: object = {}) => ({ ...fix(seq), now: T + 1_000 * seq + 50, ageMs: 150, ...more });

export const firstAt = (seq: number, more: object = {}, asked = 0, at = asked): Input => first(stateAt(seq, more), asked, at);

export const page = (seqs: number[], next: number | null, more: object = {}): TrailPage =>
  ({ jobId: JOB, epoch: E, published: null, setAside: [], locations: seqs.map((seq) => ({ ...fix(seq), ...more })), next: next === null ? null : `${E}.${next}` }) as TrailPage;

export const trail = (after: number, seqs: number[], next: number | null, asked: number, more: object = {}): Input => ({
  is: "trail",
  after: { epoch: E, seq: after },
  page: page(seqs, next, more),
  asked,
  at: asked,
});
