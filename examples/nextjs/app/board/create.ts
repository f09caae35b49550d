"use server";

import { refresh } from "next/cache";
import { isSentBy, NOT_SENT_BY } from "@/live/sent-by";
import { PEOPLE } from "@/session/people";
import { signedIn } from "@/session/session";
import { ask, segment } from "@/towline/api";
import { EMPTY, type Errors, errorsOf, jobOf, type Values, valuesOf } from "./new-job";

export interface Creation {
  /** What the form shows, again where something is wrong. */
  values: Values;
  errors: Errors;
  /** The job that was made last. */
  made?: string;
}

/** Why there is no new job of a name: it is another open one's, or one's that is over for ever. */
const TAKEN = new Set(["version_mismatch", "job_closed"]);

/** Makes a job of what the form holds. One that exists is left as it is: a `PUT` would be the whole of it, and end its driver's part. */
export async function createJob(_: Creation, form: FormData): Promise<Creation> {
  const { user, token } = await signedIn("/board", "dispatcher");
  const values = valuesOf(form);
  if (!isSentBy(user, form)) return { values, errors: { form: NOT_SENT_BY } };
  const wanted = jobOf(values, Date.now(), PEOPLE);
  if ("errors" in wanted) return { values, errors: wanted.errors };
  const { jobId, job } = wanted;
  const answer = await ask(token, `/api/jobs/${segment(jobId)}`, { method: "PUT", body: job, isNew: true });
  if (!answer.ok && TAKEN.has(answer.name)) return { values, errors: { job: "There is, or was, a job of this name" } };
  if (!answer.ok) return { values, errors: errorsOf(answer.problem) };
  refresh();
  return { values: EMPTY, errors: {}, made: jobId };
}
