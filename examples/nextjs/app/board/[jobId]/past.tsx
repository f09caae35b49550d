"use client";

import type { FirstState, TrailPoint } from "@towline/client";
import { useJob, useTrail } from "@towline/client/react";
import { useMemo, useState } from "react";
import { VehicleMap } from "@/map/map";
import type { Spot } from "@/map/spot";
import type { Vehicle } from "@/map/types";
import { useNames } from "@/ui/names";
import { seenAs, SHORT } from "@/ui/status";
import styles from "./job.module.css";
import { SaveTrail } from "./save-trail";
import { TimeSlider } from "./time-slider";
import { type Assignment, useAssignments } from "./use-assignments";
import { countUntil, whereAt } from "./where-at";

interface PastProps {
  jobId: string;
  isOpen: boolean;
  epoch: number | null;
  initial: FirstState | null;
  place: Spot | undefined;
}

const NONE: readonly Assignment[] = [];

/** Where the vehicle is, and where it was. */
export function Past({ jobId, isOpen, epoch, initial, place }: PastProps) {
  const nameOf = useNames();
  const job = useJob(isOpen ? jobId : undefined, { initial });
  const present = useTrail(isOpen ? jobId : undefined);
  const { assignments, isFailing } = useAssignments(jobId, isOpen ? (job.epoch ?? epoch) : null);
  const earlier = assignments ?? NONE;
  const [chosen, setChosen] = useState<{ epoch: number | undefined; time: number | undefined }>();

  // Of a closed job there is no present: its last assignment stands for it. What was chosen stays, also where its driver has it no more.
  const past = earlier.find((one) => one.epoch === chosen?.epoch) ?? (isOpen ? undefined : earlier.at(-1));
  const shown = past?.epoch ?? job.epoch ?? epoch ?? undefined;
  const points: readonly TrailPoint[] = past?.points ?? present;
  // Where there is a position there is a trail: it is on its way.
  const isKnown = assignments !== undefined && (past !== undefined || !isOpen || points.length > 0 || (job.status !== "waiting" && !job.position));
  const wanted = chosen?.epoch === shown ? chosen?.time : undefined;
  const time = wanted ?? (past && points.at(-1)?.capturedAt);
  const at = time === undefined ? undefined : whereAt(points, time);

  const vehicles = useMemo((): Vehicle[] => {
    if (time === undefined) return [{ jobId, status: seenAs(job), position: job.position, label: SHORT[seenAs(job)] }];
    // A marker of its own for each time: one glides on only, and never back.
    return at ? [{ jobId: `${jobId} ${time}`, status: "stale", position: { ...at, epoch: 0, seq: 0 }, label: "Where it was" }] : [];
  }, [jobId, job, time, at?.lat, at?.lng]);
  const trail = useMemo(() => {
    if (time === undefined || at === undefined) return points;
    return [...points.slice(0, countUntil(points, time)), { ...at, seq: 0 }];
  }, [points, time, at?.lat, at?.lng]);

  return (
    <section className={styles.past} aria-label="Trail">
      <VehicleMap className={styles.map} vehicles={vehicles} trail={trail} place={place} follow={vehicles[0]?.jobId} without="Where the vehicle is stands in the text." />
      {earlier.length > (isOpen ? 0 : 1) && (
        <p className="row">
          <label htmlFor="assignment">Trail of</label>
          <select
            id="assignment"
            value={past?.epoch ?? ""}
            onChange={({ target }) => setChosen({ epoch: target.value === "" ? undefined : Number(target.value), time: undefined })}
          >
            {earlier.map(({ epoch, driver }, n) => (
              <option key={epoch} value={epoch}>
                {n + 1}. {driver === undefined ? "unknown" : nameOf(driver)}
              </option>
            ))}
            {isOpen && <option value="">{earlier.length + 1}. the present driver</option>}
          </select>
        </p>
      )}
      <p className="muted" role="status">
        {isFailing && assignments === undefined && "The trail cannot be had just now. Trying again …"}
      </p>
      <TimeSlider points={isKnown ? points : undefined} time={wanted} at={at} end={past ? "The end" : "Live"} onChange={(time) => setChosen({ epoch: shown, time })} />
      <SaveTrail jobId={jobId} />
    </section>
  );
}
