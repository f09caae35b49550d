// The list of open jobs.

import type { Listing } from "../board.ts";
import type { Core } from "../client/types.ts";
import type { Open } from "../heard.ts";
import type { JobList } from "../wire.ts";
import { hintOf } from "./hint.ts";
import { backoff, repeated } from "./repeat.ts";

/** How often the list is asked for while the page is seen. */
const EVERY_MS = 5_000;

export function listJobs(core: Core, dispatchId: string | undefined, tell: (listing: Listing) => void): Open {
  let pages = new Map<string, { etag: string | undefined; list: JobList }>();
  let told: Listing = { jobs: [], status: "waiting" };
  let tries = 0;
  const set = (jobs: Listing["jobs"], status: Listing["status"]) => {
    if (jobs !== told.jobs || status !== told.status) tell((told = { jobs, status }));
  };
  const asks = repeated(core, async () => {
    const now: typeof pages = new Map();
    let changed = false;
    for (let after: string | null = ""; after !== null; ) {
      const kept = pages.get(after);
      const query: string = (dispatchId === undefined ? "" : `&dispatchId=${encodeURIComponent(dispatchId)}`) + (after && `&after=${after}`);
      const answer = await core.http<JobList | undefined>({ path: `/api/jobs?state=open&limit=100${query}`, etag: kept?.etag });
      if (answer.is === "stopped") return undefined;
      if (answer.is === "refused") {
        pages = new Map();
        set([], "refused");
        return undefined;
      }
      const list = answer.is === "ok" ? (answer.body ?? kept?.list) : undefined;
      if (answer.is !== "ok" || list === undefined) {
        hintOf(answer);
        set(told.jobs, "offline");
        return backoff(tries++, answer.is === "again" ? answer.afterMs : 0);
      }
      // Where there is a page more or less, the one before it is another.
      changed ||= list !== kept?.list;
      now.set(after, { etag: answer.etag ?? kept?.etag, list });
      after = list.next;
    }
    tries = 0;
    pages = now;
    set(changed ? [...pages.values()].flatMap(({ list }) => list.jobs) : told.jobs, "ok");
    return EVERY_MS;
  });
  asks.now();
  return {
    close: asks.stop,
    refresh: asks.now,
  };
}
