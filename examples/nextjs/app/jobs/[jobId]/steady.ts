"use client";

import type { JobSnapshot, Status } from "@towline/client";
import { useState } from "react";
import { useLasting } from "@/live/use-lasting";

/** A connection that is back within so many milliseconds is none that anybody has to be told of. */
const BRIEF_MS = 2_000;

/** A job, without connections that are lost for a moment only: while it may be one, it has the state that it had before. Whatever is erased is erased. */
export function useSteady(job: JobSnapshot): JobSnapshot {
  const isOffline = job.status === "offline";
  const [before, setBefore] = useState<Status>(job.status);
  if (!isOffline && job.status !== before) setBefore(job.status);
  const isLong = useLasting(isOffline, BRIEF_MS);
  return isOffline && !isLong ? { ...job, status: before } : job;
}
