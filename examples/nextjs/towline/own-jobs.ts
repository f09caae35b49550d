import "server-only";
import type { Job } from "@towline/client";
import { type Answer, ask } from "./api";

/** The open jobs of a driver or a customer, page by page; what is known of them where a page fails. */
export async function ownJobs(token: string): Promise<{ jobs: Job[]; isWhole: boolean }> {
  const jobs: Job[] = [];
  for (let next: string | null = ""; next !== null; ) {
    const answer: Answer<{ jobs: Job[]; next: string | null }> = await ask(token, `/api/jobs?mine${next && `&after=${encodeURIComponent(next)}`}`);
    if (!answer.ok) return { jobs, isWhole: false };
    jobs.push(...answer.body.jobs);
    next = answer.body.next;
  }
  return { jobs, isWhole: true };
}
