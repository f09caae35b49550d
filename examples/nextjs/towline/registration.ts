// What is registered of a job, and how a change of it is made and told. A `PUT` is the whole job: what a form does not show goes along.

import type { Job, NewJob } from "@towline/client";

/** A job as a dispatcher has seen it, and a change is made to: what a `PUT` takes, and the version. */
export interface Registration extends NewJob {
  version: number;
  driver: string | null;
  customers: string[];
  place: { lat: number; lng: number } | null;
  /** Unix milliseconds. */
  startsAt: number | null;
  endsAt: number;
  dispatchId: string | null;
}

/** What a form changes of it. */
export type Change = Partial<Pick<Registration, "driver" | "place" | "endsAt" | "customers">>;

/** What keeps customers from seeing the driver, as a dispatcher is told it. */
export function gateOf(job: Job) {
  return "gate" in job && typeof job.gate === "object" ? job.gate.customer : undefined;
}

/** @param job as Towline tells it to a dispatcher */
export function registration(job: Job): Registration {
  const { version, driver = null, customers = [], place = null, startsAt = null, endsAt, dispatchId = null } = job;
  const gate = gateOf(job);
  // That it has opened is no part of it: the same gate stays open.
  const { openedAt: _, ...customer } = gate ?? {};
  return { version, driver, customers, place, startsAt, endsAt, dispatchId, gate: gate ? { customer } : null };
}

/** Whether a form has sent back what it was given. What is in it Towline judges. */
export function isRegistration(value: unknown): value is Registration {
  const { version, customers } = Object(value);
  return Number.isSafeInteger(version) && Array.isArray(customers) && customers.every((id) => typeof id === "string");
}

export const etag = ({ version }: Registration) => `"${version}"`;

/** The body of a `PUT`. */
export function changed({ version: _, ...job }: Registration, change: Change): NewJob {
  return { ...job, ...change };
}

const FIELDS = ["driver", "customers", "place", "startsAt", "endsAt", "dispatchId", "gate"] as const;

/** Of a job that two people have changed at once. */
export interface Difference {
  field: (typeof FIELDS)[number];
  /** Whether it is a field that the one wants to change; otherwise it is only the other who has. */
  isWanted: boolean;
}

const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** In which fields what there is now is another than before, or than what is wanted. */
export function differences(before: Registration, now: Registration, wanted: Registration): Difference[] {
  return FIELDS.flatMap((field) => {
    const isWanted = !isSame(wanted[field], before[field]);
    return isWanted || !isSame(before[field], now[field]) ? [{ field, isWanted }] : [];
  });
}
