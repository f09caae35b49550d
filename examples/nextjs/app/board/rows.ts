// The list: what is known of each open job, in which order, and which of them are looked for.

import type { JobSnapshot, OpenJob, PhoneState, Status } from "@towline/client";
import type { NameOf } from "@/ui/names";
import { jobName } from "@/ui/job-name";
import { driverName } from "./words";

/**
 * `waiting`: where it is has been asked for. `listed`: nobody asks, and the list of jobs says of nothing that it is amiss. `off_duty`: it is not
 * heard of, and had said before that the driver goes.
 */
export type State = Status | "off_duty" | "refused" | "no_driver" | "parked" | "listed";

/** A line of the list. It is the same object as long as it says the same; where the vehicle is, and how old that is, is not in it. */
export interface Row {
  jobId: string;
  driver: string | null;
  state: State;
  silentSince: number | undefined;
  refusedSince: number | undefined;
  startsAt: number | undefined;
  /** What the phone has said since its last position. */
  phone: PhoneState | undefined;
  /** Which group it stands in, 0 first. */
  rank: number;
}

const RANKS: Partial<Record<State, number>> = { silent: 0, refused: 1, no_driver: 2, off_duty: 3, stale: 4, none: 4, reassigned: 4 };
/** A phone in trouble, or a driver who is off duty. */
const TROUBLE = 3;
const REST = 5;

const isTrouble = (phone: PhoneState | undefined) => phone === "no_permission" || phone === "no_fix";

function rankOf(state: State, phone: PhoneState | undefined): number {
  return Math.min(RANKS[state] ?? REST, isTrouble(phone) ? TROUBLE : REST);
}

/**
 * @param seen what is known of its positions, where they are asked for
 * @param isWhole whether those of all jobs are: where they come as the list is scrolled, they move nothing in it
 */
function rowOf(job: OpenJob, seen: JobSnapshot | undefined, isWhole: boolean, before: Row | undefined): Row {
  const { jobId, driver, refusedSince, startsAt } = job;
  const view = seen === undefined || seen.status === "waiting" ? undefined : seen;
  // What comes as it happens is newer than the list, which is asked for each 5 s.
  const silentSince = view ? view.silentSince : job.silentSince;
  const phone = view?.status === "live" ? view.heartbeat : (job.heartbeat ?? view?.heartbeat);
  const ofPosition = view?.status === "stale" && phone === "parked" ? "parked" : (seen?.status ?? "listed");
  const state =
    ofPosition === "ended" ? "ended" : silentSince !== undefined ? silence(phone) : refusedSince !== undefined ? "refused" : driver === null ? "no_driver" : ofPosition;
  // While this device is cut off, or what was known has been erased, each stays where it is.
  const isUnknown = state === "offline" || state === "waiting" || state === "listed";
  const rank = isWhole && isUnknown && before ? Math.max(before.rank, TROUBLE) : rankOf(isWhole ? state : listed(job), phone);
  return { jobId, driver, state, silentSince, refusedSince, startsAt, phone, rank };
}

const silence = (phone: PhoneState | undefined): State => (phone === "off_duty" ? phone : "silent");

/** Its state as far as the list of jobs tells. */
const listed = ({ silentSince, refusedSince, driver, heartbeat }: OpenJob): State =>
  silentSince !== undefined ? silence(heartbeat) : refusedSince !== undefined ? "refused" : driver === null ? "no_driver" : "listed";

const isSame = (a: Row, b: Row) => (Object.keys(a) as (keyof Row)[]).every((key) => a[key] === b[key]);

/** The rows of all open jobs, what is amiss first; within a group by id, so that they keep their places. The same array where nothing has changed. */
export function rowsOf(before: readonly Row[], jobs: readonly OpenJob[], views: ReadonlyMap<string, JobSnapshot>, isWhole: boolean): readonly Row[] {
  const known = new Map(before.map((row) => [row.jobId, row]));
  const rows = jobs.map((job) => {
    const last = known.get(job.jobId);
    const row = rowOf(job, views.get(job.jobId), isWhole, last);
    return last && isSame(last, row) ? last : row;
  });
  rows.sort((a, b) => a.rank - b.rank || (a.jobId < b.jobId ? -1 : 1));
  return rows.length === before.length && rows.every((row, n) => row === before[n]) ? before : rows;
}

/** What can be looked for besides text. Without the positions of all jobs only what the list of jobs tells. */
export const FILTERS = {
  all: { label: "All jobs", needsViews: false, has: () => true },
  amiss: { label: "Something amiss", needsViews: false, has: ({ state, phone }) => state === "silent" || state === "off_duty" || state === "refused" || isTrouble(phone) },
  no_driver: { label: "Needs a driver", needsViews: false, has: ({ driver }) => driver === null },
  stale: { label: "Out of date", needsViews: true, has: ({ state }) => state === "stale" },
  live: { label: "Live", needsViews: true, has: ({ state }) => state === "live" },
  parked: { label: "Parked", needsViews: false, has: ({ phone }) => phone === "parked" },
  none: { label: "No position yet", needsViews: true, has: ({ state }) => state === "none" || state === "reassigned" },
} satisfies Record<string, { label: string; needsViews: boolean; has: (row: Row) => boolean }>;

export type Filter = keyof typeof FILTERS;

/** The filter that can be answered: where the positions of all jobs are not known, one that needs them shows all. */
export const answerable = (filter: Filter, hasViews: boolean): Filter => (hasViews || !FILTERS[filter].needsViews ? filter : "all");

export const isFilter = (name: string): name is Filter => Object.hasOwn(FILTERS, name);

/** Those that a text is found in, in the id or the driver's name, and that are in a state. */
export function found(rows: readonly Row[], text: string, filter: Filter, nameOf: NameOf): readonly Row[] {
  const sought = text.trim().toLowerCase();
  if (sought === "" && filter === "all") return rows;
  const has = ({ jobId, driver }: Row) => [jobId, jobName(jobId), driver ?? "", driverName(driver, nameOf)].some((name) => name.toLowerCase().includes(sought));
  return rows.filter((row) => FILTERS[filter].has(row) && has(row));
}
