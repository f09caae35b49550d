// What has become of what a dispatcher wants of a job, and how it is said.

import { NOT_SENT_BY } from "@/live/sent-by";
import { UNANSWERED } from "@/live/unanswered";
import type { Answer } from "@/towline/api";
import type { Registration } from "@/towline/registration";

export type Outcome =
  | { is: "nothing" }
  | { is: "done"; text: string }
  | { is: "refused"; text: string; field: string | undefined }
  /** Somebody else was first. */
  | { is: "conflict"; before: Registration; now: Registration; wanted: Registration };

export const NOTHING: Outcome = { is: "nothing" };

/** No answer has come to the form, of which that is to be said. */
export const unanswered = (text: string): Outcome => ({ is: "refused", text, field: undefined });

const ID = "An id is at most 128 letters, digits and signs, without blanks and : * , / [ ]";

const FIELDS: Record<string, string> = {
  driver: ID,
  customers: ID,
  place: "A place is a latitude from −90 to 90 with a longitude from −180 to 180. One that customers wait for cannot be left out.",
  endsAt: "The end is a time to come, within a year, and after the beginning.",
};

type Refusal = Extract<Answer<unknown>, { ok: false }>;

export function refused({ status, name, problem }: Refusal): Outcome {
  const field = problem?.field;
  return { is: "refused", text: why(), field };

  function why(): string {
    if (name === "another_user") return NOT_SENT_BY;
    if (name === "job_closed") return "The job was closed meanwhile, for ever.";
    if (problem?.reason === "too_many") return "The job has 50 customers and links, and no room for more. Remove one first.";
    if (name === "invalid_id") return `${ID}.`;
    if (field !== undefined && field in FIELDS) return `${FIELDS[field]}`;
    if (status === 401 || status === 403) return "Your session is over. Load the page again.";
    if (status === 404) return "There is no such job any more.";
    return status >= 500 ? UNANSWERED : "Towline cannot do that just now. Try again in a moment.";
  }
}
