import type { FirstState, Job } from "@towline/client";
import type { Metadata } from "next";
import Link from "next/link";
import { notFound } from "next/navigation";
import { Fresh } from "@/live/fresh";
import { Kept } from "@/live/kept";
import { isLink, madeAt } from "@/session/link-id";
import { PEOPLE } from "@/session/people";
import { signedIn } from "@/session/session";
import { firstState, job as jobOf } from "@/towline/api";
import { registration } from "@/towline/registration";
import { AsLoaded } from "@/ui/as-loaded";
import { jobName } from "@/ui/job-name";
import { NamesProvider } from "@/ui/names";
import { Page } from "@/ui/page";
import { Change } from "./change";
import { Close } from "./close";
import { Customers } from "./customers";
import { StayOnDuty } from "../desk";
import { Facts } from "./facts";
import styles from "./job.module.css";
import { Links } from "./links";
import { Past } from "./past";

type Params = Promise<{ jobId: string }>;

export async function generateMetadata({ params }: { params: Params }): Promise<Metadata> {
  return { title: `Job ${jobName((await params).jobId)}` };
}

/** One job for a dispatcher. */
export default async function BoardJobPage({ params }: { params: Params }) {
  const { jobId } = await params;
  const session = await signedIn(`/board/${jobId}`, "dispatcher");
  const [answer, first] = await Promise.all([jobOf(session.token, jobId), firstState(session.token, jobId)]);
  if (!answer.ok && (answer.status === 404 || answer.status === 400)) notFound();
  const title = `Job ${jobName(jobId)}`;
  return (
    <Page session={session} title={title} wide>
      {!(answer.ok && answer.body.state === "closed") && <Fresh />}
      <StayOnDuty />
      <p className={styles.back}>
        <Link href="/board" prefetch={false}>← All open jobs</Link>
      </p>
      {answer.ok && answer.body.state === "open" && <AsLoaded />}
      <Kept without={<Unreached />}>{answer.ok && <JobParts job={answer.body} initial={first.ok ? first.body : null} />}</Kept>
    </Page>
  );
}

function JobParts({ job, initial }: { job: Job; initial: FirstState | null }) {
  const { jobId } = job;
  const isOpen = job.state === "open";
  const present = registration(job);
  const links = present.customers.filter(isLink).map((link) => ({ link, madeAt: madeAt(link) }));
  return (
    <NamesProvider people={PEOPLE}>
      <div className={styles.page}>
        <Past key={job.state} jobId={jobId} isOpen={isOpen} epoch={job.epoch ?? null} initial={initial} place={present.place ?? undefined} />
        <div className="stack">
          <Facts job={job} initial={initial} />
          {isOpen && (
            <>
              <Change jobId={jobId} job={present} />
              <Customers jobId={jobId} job={present} customers={present.customers.filter((id) => !isLink(id))} />
              <Links jobId={jobId} links={links} />
              <Close jobId={jobId} />
            </>
          )}
        </div>
      </div>
    </NamesProvider>
  );
}

function Unreached() {
  return (
    <>
      <p className="notice" role="alert">
        Towline cannot be reached just now. This page tries again by itself.
      </p>
      <noscript>
        <p className="notice">Without scripts it does not: load it again.</p>
      </noscript>
    </>
  );
}
