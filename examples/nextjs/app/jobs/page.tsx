import type { Job } from "@towline/client";
import type { Metadata } from "next";
import Link from "next/link";
import { redirect } from "next/navigation";
import { signedIn } from "@/session/session";
import { ownJobs } from "@/towline/api";
import { jobName } from "@/ui/job-name";
import { AsLoaded } from "@/ui/as-loaded";
import { Page } from "@/ui/page";
import { SHORT, SIGNS, listed } from "@/ui/status";
import styles from "./jobs.module.css";
import { Fresh } from "@/live/fresh";

export const metadata: Metadata = { title: "Your jobs" };

export default async function JobsPage() {
  const session = await signedIn("/jobs", "customer");
  if ("job" in session.user) redirect(`/jobs/${session.user.job}`);
  const { jobs, isWhole } = await ownJobs(session.token);
  const [only] = jobs;
  if (only && jobs.length === 1 && isWhole) redirect(`/jobs/${only.jobId}`);
  return (
    <Page session={session} title="Your jobs">
      <Fresh />
      <AsLoaded />
      {!isWhole && (
        <p className="notice" role="status">
          Not all of your jobs can be shown just now. This page tries again by itself.
        </p>
      )}
      {jobs.length > 0 ? (
        <ul className={styles.list}>
          {jobs.map((job) => (
            <Entry key={job.jobId} job={job} />
          ))}
        </ul>
      ) : (
        isWhole && <Nothing />
      )}
    </Page>
  );
}

function Entry({ job }: { job: Job }) {
  const status = listed(job);
  return (
    <li>
      <Link className={`card ${styles.entry}`} href={`/jobs/${job.jobId}`} prefetch={false}>
        <strong>{jobName(job.jobId)}</strong>
        <span className={styles.state} data-status={status}>
          <span aria-hidden="true">{SIGNS[status]}</span> {status === "live" ? "On the map" : SHORT[status]}
        </span>
      </Link>
    </li>
  );
}

function Nothing() {
  return (
    <div className={`card ${styles.nothing}`}>
      <p className={styles.sign} aria-hidden="true">
        ○
      </p>
      <h2>No vehicle is on its way to you</h2>
      <p className="muted">As soon as a job of yours begins, this page shows it by itself.</p>
    </div>
  );
}
