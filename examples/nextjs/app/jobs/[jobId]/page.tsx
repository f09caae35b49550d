import { initialSnapshot } from "@towline/client";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { cache } from "react";
import { signedIn } from "@/session/session";
import { firstState, ownJobs } from "@/towline/api";
import { Page } from "@/ui/page";
import { JobView, type Refused } from "./view";
import { words } from "./words";

interface Props {
  params: Promise<{ jobId: string }>;
}

/** What refuses the first state for good, and what that is to be called. */
const REFUSED: Record<string, Refused["status"]> = { job_closed: "ended", not_a_participant: "not_yours" };

/** Asked once, for the page and for its title. */
const asked = cache(async (jobId: string) => {
  const session = await signedIn(`/jobs/${jobId}`, "customer");
  const answer = await firstState(session.token, jobId);
  if (!answer.ok && (answer.status === 400 || answer.status === 404)) notFound();
  const status = answer.ok ? undefined : REFUSED[answer.name];
  const refused: Refused | undefined = status && { status, reason: answer.ok ? undefined : answer.problem?.reason };
  return { session, initial: answer.ok ? answer.body : null, refused };
});

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { jobId } = await params;
  const { initial, refused } = await asked(jobId);
  const job = initialSnapshot(jobId, initial ?? undefined);
  return { title: words({ ...job, ...refused }).short };
}

export default async function JobPage({ params }: Props) {
  const { jobId } = await params;
  const { session, initial, refused } = await asked(jobId);
  const isGuest = "job" in session.user;
  const own = isGuest ? [] : (await ownJobs(session.token)).jobs;
  const others = own.filter((job) => job.jobId !== jobId).length;
  return (
    <Page session={session} title="Your vehicle" wide quiet>
      <noscript>
        <p className="notice">This is as it was when the page was loaded. Reload it for news.</p>
      </noscript>
      <JobView jobId={jobId} initial={initial} refused={refused} isGuest={isGuest} others={others} />
    </Page>
  );
}
