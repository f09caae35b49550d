import type { JobSnapshot } from "@towline/client";
import type { Vehicle } from "@/map/types";
import type { NameOf } from "@/ui/names";
import type { Row } from "./rows";
import { jobName } from "@/ui/job-name";
import { driverName, WORD } from "./words";

const made = new WeakMap<JobSnapshot, Vehicle>();

/** What the map has of a job; the same object as long as there is nothing new of it. */
function vehicleOf({ jobId, driver, state }: Row, snapshot: JobSnapshot, nameOf: NameOf): Vehicle {
  const label = `${jobName(jobId)}, ${driverName(driver, nameOf)}, ${WORD[state]}`;
  const kept = made.get(snapshot);
  if (kept?.label === label) return kept;
  // The list's state and the map's are one.
  const status = state === "silent" ? state : state === "off_duty" ? "stale" : snapshot.status;
  const vehicle: Vehicle = { jobId, status, position: snapshot.position, label };
  made.set(snapshot, vehicle);
  return vehicle;
}

/** The vehicles of these jobs, as far as their positions are asked for. */
export function vehiclesOf(rows: readonly Row[], views: ReadonlyMap<string, JobSnapshot>, nameOf: NameOf): readonly Vehicle[] {
  return rows.flatMap((row) => {
    const snapshot = views.get(row.jobId);
    return snapshot ? [vehicleOf(row, snapshot, nameOf)] : [];
  });
}
