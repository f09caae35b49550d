import type { Job } from "@towline/client";
import { jobName } from "@/ui/job-name";
import styles from "./drive.module.css";

interface JobsProps {
  jobs: readonly Job[] | undefined;
  /** The one that is shared for. */
  job: string | undefined;
  /** Not off duty. */
  choose: ((jobId: string) => void) | undefined;
}

export function Jobs({ jobs, job, choose }: JobsProps) {
  return (
    <section className="card" aria-labelledby="jobs">
      <h2 id="jobs">Your jobs</h2>
      {jobs === undefined && <p className="muted">{choose ? "They are not known yet." : "They are asked for once you are on duty."}</p>}
      {jobs?.length === 0 && <p className="muted">You have none now.</p>}
      <ul className={styles.jobs}>
        {jobs?.map(({ jobId }) => (
          <li key={jobId}>
            <strong className={styles.job}>{jobName(jobId)}</strong>
            {/* One button all the time, so that whoever has pressed it does not lose their place. */}
            {choose && (
              <button type="button" className={looks(jobId, job)} aria-disabled={jobId === job} onClick={() => jobId !== job && choose(jobId)}>
                {jobId === job ? "● Your present job" : job === undefined ? "Share" : "Switch"}
                {jobId !== job && <span className="sr-only">{job === undefined ? ` for ${jobName(jobId)}` : ` to ${jobName(jobId)}`}</span>}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function looks(jobId: string, job: string | undefined): string | undefined {
  if (jobId === job) return `quiet ${styles.present}`;
  return job === undefined ? "primary" : undefined;
}
