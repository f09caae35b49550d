// What asks and listens.

import type { Core } from "../client/types.ts";
import { isJobId } from "../ids.ts";
import { type LiveJob, liveJob } from "../view/index.ts";
import type { Feed } from "../view/types.ts";
import { ablyFeed } from "./ably.ts";
import { streamFeed } from "./stream.ts";

export { listDuty } from "./duty.ts";
export { listJobs } from "./jobs.ts";
export { listNotifications } from "./notifications.ts";

/** What is no job id is nobody's job: nothing is asked about it. */
const none: Feed = (_, give) => {
  give({ is: "refused", why: "not_yours", asked: 0, at: 0 });
  return { ask() {}, stop() {} };
};

export const jobOf = (core: Core, jobId: string): LiveJob =>
  liveJob(core, isJobId(jobId) ? core.one("feed", () => (core.channels ? ablyFeed(core) : streamFeed(core))) : none, jobId);
