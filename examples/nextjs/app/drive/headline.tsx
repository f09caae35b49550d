"use client";

import type { DriverState } from "@towline/client/driver";
import { jobName } from "@/ui/job-name";
import type { Reception } from "./receiver";
import { useNow } from "./use-now";
import { headline } from "./words";

/** What becomes of the driver's position, and for which job. */
export function Headline({ job, state, reception }: { job: string; state: DriverState | undefined; reception: Reception }) {
  const [before, after] = headline(state, reception, useNow());
  return (
    <>
      {before} <strong>{jobName(job)}</strong>
      {after}
    </>
  );
}
