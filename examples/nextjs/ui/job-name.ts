import { fromJobId } from "@towline/client";

/** What the platform calls a job: its id is made of that, by `toJobId`. */
export function jobName(jobId: string): string {
  try {
    return fromJobId(jobId);
  } catch {
    return jobId;
  }
}
