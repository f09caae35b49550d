"use client";

import type { Job } from "@towline/client";
import { jobName } from "@/ui/job-name";
import styles from "./drive.module.css";
import { Headline } from "./headline";
import { Jobs } from "./jobs";
import { Before, Limits } from "./limits";
import { useOfflinePage } from "./offline/use-offline-page";
import { PhoneCard } from "./phone-card";
import { useSharing } from "./use-sharing";
import { GONE } from "./words";

export interface DriveProps {
  user: string;
  /** The driver's jobs, where the page was rendered with them. */
  initial: readonly Job[] | undefined;
}

/** A driver's page, first of all on a phone. Off duty it asks for nothing, and sends only what waits. */
export function Drive({ user, initial }: DriveProps) {
  const { isOn, job, jobs, isAsked, gone, news, choose, turn, state, reception } = useSharing(user, initial);
  useOfflinePage();
  return (
    <div className={styles.page}>
      <button type="button" role="switch" aria-checked={isOn} className={styles.switch} disabled={state === undefined} onClick={() => turn(!isOn)}>
        <span>On duty</span>
        <span className={styles.track} aria-hidden="true">
          {isOn ? "On" : "Off"}
        </span>
      </button>
      <div role="status" className={styles.status}>
        <p>
          {!isOn && "You are off duty. Nothing is shared."}
          {isOn && job !== undefined && <Headline job={job} state={state} reception={reception} />}
          {isOn && job === undefined && without(jobs, isAsked)}
        </p>
        {gone?.why && (
          <p className="notice">
            <strong>{jobName(gone.job)}</strong> {GONE[gone.why]}. Your position is not shared for it any more.
          </p>
        )}
        {isOn && job !== undefined && news.length > 0 && (
          <p className="notice">
            You have a new job: <strong>{news.map(jobName).join(", ")}</strong>. You still share for {jobName(job)}.
          </p>
        )}
      </div>
      <Jobs jobs={jobs} job={job} choose={isOn ? choose : undefined} />
      {isOn && <Limits />}
      {state && (isOn || state.waiting > 0) && <PhoneCard state={state} reception={reception} isOn={isOn} />}
      {!isOn && <Before />}
    </div>
  );
}

function without(jobs: readonly Job[] | undefined, isAsked: boolean): string {
  if (jobs === undefined) return "On duty. Your job appears here once there is a connection.";
  if (!isAsked) return "On duty. Your jobs are being asked for.";
  return jobs.length > 0 ? "On duty. Choose the job that you drive for." : "On duty, with no job. It appears here once you are given one.";
}
