// What the form for a new job holds, and the job that it means.

import { type NewJob, type Problem, toJobId } from "@towline/client";
import { UNANSWERED } from "@/live/unanswered";
import type { User } from "@/session/user";

export const FIELDS = ["job", "driver", "customers", "lat", "lng", "hours"] as const;

export type Field = (typeof FIELDS)[number];

export type Values = Record<Field, string>;

/** `form`: what is no one field's. */
export type Errors = Partial<Record<Field | "form", string>>;

export const EMPTY: Values = { job: "", driver: "", customers: "", lat: "", lng: "", hours: "8" };

export function valuesOf(form: FormData): Values {
  const values = { ...EMPTY };
  for (const field of FIELDS) values[field] = String(form.get(field) ?? "").trim();
  return values;
}

/** User ids, of names or ids with commas between them. */
function idsOf(text: string, people: readonly User[]): string[] {
  const customers = new Map(people.filter(({ role }) => role === "customer").map(({ id, name }) => [name.toLowerCase(), id]));
  const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
  return [...new Set(names.map((name) => customers.get(name.toLowerCase()) ?? name))];
}

/** Some write a comma for the point. */
const degrees = (typed: string) => Number(typed.replace(",", "."));

/** The job that is meant, at `now`, by names of `people`; or what is wrong, as far as Towline does not have to be asked. */
export function jobOf(values: Values, now: number, people: readonly User[]): { jobId: string; job: NewJob } | { errors: Errors } {
  const errors: Errors = {};
  let jobId = "";
  if (values.job === "") errors.job = "A job needs a name";
  else {
    try {
      jobId = toJobId(values.job);
    } catch {
      errors.job = "This name is too long";
    }
  }
  const [lat, lng] = [degrees(values.lat), degrees(values.lng)];
  const hasPlace = values.lat !== "" || values.lng !== "";
  if (hasPlace && (values.lat === "" || !(Math.abs(lat) <= 90))) errors.lat = "From −90 to 90, such as 48.2082";
  if (hasPlace && (values.lng === "" || !(Math.abs(lng) <= 180))) errors.lng = "From −180 to 180, such as 16.3738";
  const hours = Number(values.hours);
  if (!(hours > 0)) errors.hours = "In how many hours it ends";
  if (Object.keys(errors).length > 0) return { errors };
  const job: NewJob = { driver: values.driver || null, customers: idsOf(values.customers, people), endsAt: now + hours * 3_600_000 };
  if (hasPlace) job.place = { lat, lng };
  return { jobId, job };
}

/** What Towline names, the field that it comes from, and what is asked of that. */
const OF: Record<string, [Field, string]> = {
  driver: ["driver", "Choose one of these"],
  customers: ["customers", "At most 50, and none has a blank or one of : * / [ ]"],
  place: ["lat", "This is no place on earth"],
  endsAt: ["hours", "A job ends within a year"],
};

/** What Towline finds wrong, beside the field that is to blame. */
export function errorsOf(problem: Problem | undefined): Errors {
  if (problem === undefined) return { form: UNANSWERED };
  const [field, said] = OF[problem.field ?? ""] ?? (["form", problem.detail ?? problem.title] as const);
  return { [field]: said };
}
