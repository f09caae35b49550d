"use client";

import type { FirstState } from "@towline/client";
import { useAge, useConnection, useJob, useTrail } from "@towline/client/react";
import Link from "next/link";
import { useEffect, useMemo, useState } from "react";
import { VehicleMap } from "@/map/map";
import { metresBetween } from "@/map/spot";
import { distance } from "@/ui/measures";
import { clockTime, useMounted } from "@/ui/time";
import { seenAs, span } from "@/ui/status";
import { JobCard } from "./card";
import { type Fact, facts } from "./facts";
import { UseOwnPosition, useOwnPosition } from "./own-position";
import { useSteady } from "./steady";
import { type By, words } from "./words";

/** Why a job is not shown, and where it has ended, the reason. */
export interface Refused {
  status: "ended" | "not_yours";
  reason: string | undefined;
}

export interface JobViewProps {
  jobId: string;
  /** Nothing where it was refused, or Towline could not be asked. */
  initial: FirstState | null;
  /** Why it was refused, until the page has asked by itself. */
  refused?: Refused | undefined;
  /** Whoever has come by a link has no other page to go to. */
  by: By;
  /** How many other open jobs they have. */
  others: number;
}

export function JobView({ jobId, initial, refused, by, others }: JobViewProps) {
  const known = useJob(jobId, { initial });
  const { state } = useConnection();
  // Also where nothing was ever answered.
  const isCut = known.status === "waiting" && state === "offline";
  const steady = useSteady(isCut ? { ...known, status: "offline" } : known);
  const job = refused && known.status === "waiting" ? { ...known, ...refused } : steady;
  const age = useAge(known);
  const trail = useTrail(jobId);
  const isMounted = useMounted();

  const { short } = words(job, by);
  useEffect(() => {
    document.title = `${short} · Towline`;
  }, [short]);

  const { position, opensAt } = known;
  const isOver = job.status === "ended" || job.status === "not_yours";
  // From the first position on, also while there is none, so that whoever has pressed the button finds it in its place, and can stop.
  const [isOffered, setOffered] = useState(false);
  const offers = !isOver && (isOffered || position !== undefined);
  if (offers !== isOffered) setOffered(offers);
  const own = useOwnPosition(offers);

  const status = seenAs(steady);
  const vehicles = useMemo(() => [{ jobId, status, position, label: `Your vehicle: ${short}` }], [jobId, status, position, short]);

  const all: Fact[] = facts(job, age);
  if (opensAt !== undefined) {
    all.push(["Shown from", isMounted ? clockTime(opensAt) : initial ? `in ${span(opensAt - initial.now)}` : ""]);
  }
  const away = position && own.spot && distance(metresBetween(own.spot, position));
  if (away) all.push(["From you", `${away} as the crow flies`]);

  const map = position && <VehicleMap vehicles={vehicles} trail={trail} follow={jobId} you={own.spot} without="What else is known of the vehicle stands in the text." />;
  return (
    <JobCard job={job} facts={all} by={by} map={map}>
      {offers && isMounted && <UseOwnPosition own={own} away={away} />}
      {by === "account" && (others > 0 || isOver) && (
        <Link href="/jobs" prefetch={false}>
          {others > 0 ? `Your other jobs (${others})` : "Your jobs"}
        </Link>
      )}
    </JobCard>
  );
}
