// What the form of a job's driver, place and end holds.

import type { Change, Registration } from "@/towline/registration";
import { utcMinute } from "@/ui/minute";

/** Each as its field has it. */
export interface Values {
  /** Nobody's is empty. */
  driver: string;
  lat: string;
  lng: string;
  /** To the minute, in UTC. */
  endsAt: string;
}

export function valuesOf({ driver, place, endsAt }: Pick<Registration, "driver" | "place" | "endsAt">): Values {
  return { driver: driver ?? "", lat: String(place?.lat ?? ""), lng: String(place?.lng ?? ""), endsAt: utcMinute(endsAt) };
}

/** As somebody has filled it in. */
export function typed(form: FormData): Values {
  const text = (name: keyof Values) => String(form.get(name) ?? "");
  return { driver: text("driver"), lat: text("lat"), lng: text("lng"), endsAt: text("endsAt") };
}

/** What somebody wants to change who has filled the form in: only what they have. A place that is none is left to Towline to refuse. */
export function changeOf(seen: Registration, { driver, lat, lng, endsAt }: Values): Change {
  const before = valuesOf(seen);
  const change: Change = {};
  if (driver !== before.driver) change.driver = driver === "" ? null : driver;
  if (lat.trim() !== before.lat || lng.trim() !== before.lng) change.place = lat.trim() + lng.trim() === "" ? null : { lat: degrees(lat), lng: degrees(lng) };
  if (endsAt !== before.endsAt) change.endsAt = Date.parse(`${endsAt}Z`);
  return change;
}

/** JSON makes `null` of what is no number, and of no number at all. */
const degrees = (typed: string) => (typed.trim() === "" ? Number.NaN : Number(typed.trim().replace(",", ".")));
