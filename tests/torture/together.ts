// How many messages have shared a request.

import type { Evidence } from "./judge.ts";

/**
 * Counts the messages that Ably took in the same millisecond as another job's: what comes by one request has one timestamp. A few
 * requests come in the same millisecond by chance.
 */
export function takenTogether(jobs: readonly Pick<Evidence, "job" | "history">[]): number {
  const taken = jobs.flatMap(({ job, history }) => history.map(({ timestamp }) => ({ job, timestamp })));
  const at = new Map<number, Set<string>>();
  for (const { job, timestamp } of taken) at.set(timestamp, (at.get(timestamp) ?? new Set()).add(job));
  return taken.filter(({ timestamp }) => (at.get(timestamp)?.size ?? 0) > 1).length;
}
