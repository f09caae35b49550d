// The first state, asked for until there is an answer.

import { hintOf } from "./hint.ts";
import { backoff, type Repeated, repeated } from "./repeat.ts";
import type { Core } from "../client/types.ts";
import { queue } from "../view/queue.ts";
import type { Input } from "../view/types.ts";
import type { FirstState } from "../wire.ts";

/** How long nobody is asked whether somebody who took no part does so now; a refresh asks at once. */
const NOT_YOURS_MS = 60_000;

/** So many are asked for at once, over all jobs. */
const AT_ONCE = 8;
/** How often a job that has neither channel nor stream is asked about; and how many milliseconds are between two such, over all jobs. */
const POLL_MS = 5_000;
const POLL_EACH_MS = 100;

const sharedOf = (core: Core) => core.one("first", () => ({ turn: queue(AT_ONCE), open: 0 }));

/** In how many milliseconds to ask again about a job that has neither channel nor stream. */
export const pollMs = (core: Core): number => Math.max(POLL_MS, POLL_EACH_MS * sharedOf(core).open);

/** As the service names a job that has ended; staff read on until nothing is kept of it. */
const ENDED = new Set(["job_closed", "job_forgotten"]);

/** Where what is of a job is asked for. */
export const pathOf = (jobId: string, what: string) => `/api/jobs/${jobId}/${what}`;

/** Whether a message says that what is registered of a job has changed: of what that is the first state tells. */
export const isOfRegistration = (name: string, data: unknown): boolean =>
  name === "job.updated" && (data as { type?: unknown } | null)?.type === "registration";

/**
 * Gives what `GET …/location` says, also that it is refused. `allowed` hears of each answer to somebody who may read, and may say in how
 * many milliseconds to ask again; `failed`, that there was none.
 */
export function firstState(
  core: Core,
  jobId: string,
  give: (input: Input) => void,
  allowed: (state: FirstState) => number | undefined,
  failed: () => void,
): Repeated {
  let tries = 0;
  let stopped = false;
  const shared = sharedOf(core);
  shared.open++;
  const asks = repeated(core, async () => {
    const asked = core.clock.now();
    const answer = await core.http<FirstState>({ path: pathOf(jobId, "location") });
    if (stopped || answer.is === "stopped") return undefined;
    const at = core.clock.now();
    if (answer.is === "again") {
      hintOf(answer);
      failed();
      return backoff(tries++, answer.afterMs);
    }
    tries = 0;
    if (answer.is === "ok") {
      give({ is: "first", state: answer.body, asked, at });
      return allowed(answer.body);
    }
    give({ is: "refused", why: ENDED.has(answer.type) ? "ended" : "not_yours", reason: answer.reason, asked, at });
    return NOT_YOURS_MS;
  }, shared.turn);
  return {
    now: asks.now,
    stop() {
      stopped = true;
      shared.open--;
      asks.stop();
    },
  };
}
