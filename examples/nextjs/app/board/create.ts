"use server";

import { refresh } from "next/cache";
import { PEOPLE } from "@/session/people";
import { signedIn } from "@/session/session";
import { ask, job as existing, segment } from "@/towline/api";
import { EMPTY, type Errors, errorsOf, jobOf, type Values, valuesOf } from "./new-job";

export interface Creation {
  /** What the form shows, again where something is wrong. */
  values: Values;
  errors: Errors;
  /** The job that was made last. */
  made?: string;
}

/** Makes a job of what the form holds. One that exists is left as it is: a `PUT` would be the whole of it, and end its driver's part. */
export async function createJob(_: Creation, form: FormData): Promise<Creation> {
  const { token } = await signedIn("/board", "dispatcher");
  const values = valuesOf(form);
  const wanted = jobOf(values, Date.now(), PEOPLE);
  if ("errors" in wanted) return { values, errors: wanted.errors };
  const { jobId, job } = wanted;
  const known = await existing(token, jobId);
  if (known.ok || known.name === "job_forgotten") return { values, errors: { job: "There is, or was, a job of this name" } };
  if (known.name !== "not_registered") return { values, errors: errorsOf(known.problem) };
  const answer = await ask(token, `/api/jobs/${segment(jobId)}`, { method: "PUT", body: job });
  if (!answer.ok) return { values, errors: errorsOf(answer.problem) };
  refresh();
  return { values: EMPTY, errors: {}, made: jobId };
}
