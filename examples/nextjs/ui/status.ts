// What is said of a job's state, in words, in one place.

import type { Job, JobSnapshot, Status } from "@towline/client";

/** A sign beside the words, so that nobody has to tell colours apart. */
export const SIGNS: Record<Status, string> = {
  waiting: "◌",
  none: "○",
  withheld: "◷",
  live: "●",
  stale: "◐",
  silent: "?",
  reassigned: "⇄",
  offline: "⚡",
  ended: "■",
  not_yours: "⊘",
};

/** For a line in a list. */
export const SHORT: Record<Status, string> = {
  waiting: "Loading",
  none: "No position yet",
  withheld: "Not visible yet",
  live: "Live",
  stale: "Out of date",
  silent: "Not heard of",
  reassigned: "New driver",
  offline: "No connection",
  ended: "Over",
  not_yours: "No access",
};

/** How long ago, rounded so that it does not pretend to know better: `12 s`, `3 min`, `2 h`, `4 d`. */
export function span(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1_000));
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min`;
  return s < 48 * 3_600 ? `${Math.floor(s / 3_600)} h` : `${Math.floor(s / 86_400)} d`;
}

/** Whether the vehicle moves, as far as its last position tells. */
export function isMoving({ position, heartbeat }: JobSnapshot): boolean | undefined {
  if (heartbeat === "parked") return false;
  return position?.speed === undefined ? undefined : position.speed > 0.8;
}

/**
 * What a job is to be shown as: a vehicle that says that it stands is where it was seen last, however old that is; and a driver who has gone off duty
 * is not missed.
 */
export function seenAs({ status, heartbeat }: JobSnapshot): Status {
  if (status === "silent" && heartbeat === "off_duty") return "stale";
  return status === "stale" && heartbeat === "parked" ? "live" : status;
}

/** The state of a job that is listed, as far as the list tells it. */
export function listed({ withheld, silentSince, heartbeat, fixMissingSince, lastFixAt }: Job): Status {
  if (withheld) return "withheld";
  if (lastFixAt === undefined) return "none";
  if (silentSince !== undefined) return heartbeat === "off_duty" ? "stale" : "silent";
  return fixMissingSince === undefined ? "live" : "stale";
}
