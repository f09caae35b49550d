// Alarms: what has become amiss with a job, and what the user was notified of.

import type { Notification } from "@towline/client";
import type { NameOf } from "@/ui/names";
import type { Row } from "./rows";
import { jobName } from "@/ui/job-name";

export interface Alarm {
  /** What is amiss, and with which job: as long as it is, there is no second alarm of it. */
  key: string;
  kind: "silent" | "refused" | "no_permission" | "no_fix" | "no_driver" | "notification";
  /** A job's page leads on; undefined where it is not about a job. */
  jobId: string | undefined;
  /** What the job, or whatever it is about, is called. */
  about: string;
  text: string;
  /** Since when, Unix milliseconds; undefined where that is not told. */
  since: number | undefined;
  isDismissed: boolean;
}

export interface Alarms {
  /** The newest first; of those that came at once, last whose time is not told. */
  readonly all: readonly Alarm[];
  /** Those that came last, for whoever is told of them once. */
  readonly news: readonly Alarm[];
  /** How many times there have been news: the same ones again are others. */
  readonly turn: number;
}

export const NO_ALARMS: Alarms = { all: [], news: [], turn: 0 };

/** So many notifications are kept; the client has no more of them either. */
const KEPT = 100;

type Found = Omit<Alarm, "isDismissed" | "key">;

function* amiss({ jobId, driver, silentSince, refusedSince, phone, startsAt }: Row, now: number, nameOf: NameOf): Generator<Found & { jobId: string }> {
  const whose = driver === null ? "the driver" : nameOf(driver);
  const one = (kind: Alarm["kind"], since: number | undefined, text: string) => ({ kind, jobId, about: jobName(jobId), text, since });
  if (silentSince !== undefined) yield one("silent", silentSince, phone === "off_duty" ? `${whose} is off duty` : `${whose} is not heard of`);
  if (refusedSince !== undefined) yield one("refused", refusedSince, `All positions of ${whose} are refused`);
  if (phone === "no_permission") yield one(phone, undefined, `The phone of ${whose} may not tell where it is`);
  if (phone === "no_fix") yield one(phone, undefined, `The phone of ${whose} finds no position`);
  if (driver === null && startsAt !== undefined && startsAt <= now) yield one("no_driver", startsAt, "It has begun, and has no driver");
}

const NEWS: Record<string, string> = {
  "job.assigned": "You take part in it",
  "job.unassigned": "You do not take part in it any more",
  "job.closed": "It is over",
};

function notice({ id, type, entityId, ts }: Notification): [string, Found] {
  const jobId = type.startsWith("job.") ? entityId : undefined;
  return [`notification ${id}`, { kind: "notification", jobId, about: jobName(entityId), text: NEWS[type] ?? type, since: ts }];
}

/**
 * The alarms after a look at the board: one more for each thing that was not amiss at the last, and no more of what is not amiss any more.
 * The same object where nothing has changed.
 */
export function alarmsAfter(before: Alarms, rows: readonly Row[], items: readonly Notification[], now: number, nameOf: NameOf): Alarms {
  const found = new Map<string, Found>(items.map(notice));
  for (const row of rows) for (const one of amiss(row, now, nameOf)) found.set(`${one.kind} ${one.jobId}`, one);
  const known = new Set(before.all.map(({ key }) => key));
  let notices = 0;
  const kept = before.all.filter(({ key, kind }) => (kind === "notification" ? notices++ < KEPT : found.has(key)));
  const news = [...found].filter(([key]) => !known.has(key)).map(([key, one]) => ({ ...one, key, isDismissed: false }));
  news.sort((a, b) => (b.since ?? 0) - (a.since ?? 0));
  if (news.length === 0 && kept.length === before.all.length) return before;
  return { all: [...news, ...kept], ...(news.length > 0 ? { news, turn: before.turn + 1 } : { news: before.news, turn: before.turn }) };
}

/** Without one, or without all, in the list; they make no alarm again before they have been over. */
export function dismiss({ all, ...rest }: Alarms, key?: string): Alarms {
  return { ...rest, all: all.map((alarm) => (key === undefined || alarm.key === key ? { ...alarm, isDismissed: true } : alarm)) };
}
