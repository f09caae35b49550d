import { initialSnapshot } from "@towline/client";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { cache } from "react";
import { signedIn } from "@/session/session";
import { firstState, ownJobs } from "@/towline/api";
import { AsLoaded } from "@/ui/as-loaded";
import { Page } from "@/ui/page";
import { JobCard } from "./card";
import { JobView, type Refused } from "./view";
import { type By, words } from "./words";

interface Props {
  params: Promise<{ jobId: string }>;
}

/** What refuses the first state for good, and what that is to be called. */
const REFUSED: Record<string, Refused["status"]> = { job_closed: "ended", not_a_participant: "not_yours" };

/** Whoever has the link of another job. */
const ANOTHER: Refused = { status: "not_yours", reason: undefined };

/** Asked once, for the page and for its title. */
const asked = cache(async (jobId: string) => {
  const session = await signedIn(`/jobs/${jobId}`, "customer");
  const by: By = !("job" in session.user) ? "account" : session.user.job === jobId ? "link" : "another_link";
  const answer = await firstState(session.token, jobId);
  if (!answer.ok && (answer.status === 400 || answer.status === 404)) notFound();
  const status = answer.ok ? undefined : REFUSED[answer.name];
  const refused: Refused | undefined = by === "another_link" ? ANOTHER : status && { status, reason: answer.ok ? undefined : answer.problem?.reason };
  return { session, by, initial: answer.ok ? answer.body : null, refused };
});

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { jobId } = await params;
  const { by, initial, refused } = await asked(jobId);
  const job = initialSnapshot(jobId, initial ?? undefined);
  return { title: words({ ...job, ...refused }, by).short };
}

export default async function JobPage({ params }: Props) {
  const { jobId } = await params;
  const { session, by, initial, refused } = await asked(jobId);
  const own = by === "account" ? (await ownJobs(session.token)).jobs : [];
  const others = own.filter((job) => job.jobId !== jobId).length;
  return (
    <Page session={session} title="Your vehicle" wide quiet>
      <AsLoaded />
      {by === "another_link" ? (
        <JobCard job={{ ...initialSnapshot(jobId), ...ANOTHER }} facts={[]} by={by} />
      ) : (
        <JobView jobId={jobId} initial={initial} refused={refused} by={by} others={others} />
      )}
    </Page>
  );
}
