"use server";

// What a dispatcher does to a job. Anybody can call what this file exports, with whatever they like: so each asks who it is, and Towline decides.

import type { Job } from "@towline/client";
import { refresh } from "next/cache";
import { headers } from "next/headers";
import { isSentBy } from "@/live/sent-by";
import { secret } from "@/session/jwt";
import { linkCode, linkKey, newLink } from "@/session/link";
import { isLink } from "@/session/link-id";
import { nameOf, PEOPLE } from "@/session/people";
import { signedIn } from "@/session/session";
import { type Answer, type Ask, ask, segment } from "@/towline/api";
import { type Change, changed, etag, isRegistration, type Registration, registration } from "@/towline/registration";
import { NOTHING, type Outcome, refused } from "./outcome";
import { changeOf, typed, type Values, valuesOf } from "./values";

/** Whoever asks is a dispatcher, before anything is read of what they have sent. */
const dispatcher = (form: FormData) => signedIn(`/board/${encodeURIComponent(text(form, "jobId"))}`, "dispatcher");

const text = (form: FormData, name: string) => String(form.get(name) ?? "");

/** Asks Towline as the dispatcher who is signed in, if it is their page that has sent the form. `path`: after that of the job. */
async function askOf<T>(form: FormData, path: string, how: Ask): Promise<Answer<T>> {
  const jobId = text(form, "jobId");
  const { user, token } = await dispatcher(form);
  if (!isSentBy(user, form)) return { ok: false, status: 403, name: "another_user", problem: undefined, body: undefined };
  const answer = await ask<T>(token, `/api/jobs/${segment(jobId)}${path}`, how);
  refresh();
  return answer;
}

/** The same as a change to the version that the form has seen. */
async function change(form: FormData, seen: Registration, wanted: Change, path: string, how: Ask, done: string): Promise<Outcome> {
  const answer = await askOf<Job>(form, path, { ...how, ifMatch: etag(seen) });
  if (answer.ok) return { is: "done", text: done };
  // With a 412 comes the job as it is.
  if (answer.status === 412 && answer.name === "version_mismatch" && Object(answer.body).jobId !== undefined) {
    return { is: "conflict", before: seen, now: registration(answer.body as Job), wanted: { ...seen, ...wanted } };
  }
  return refused(answer);
}

const userPath = (userId: string) => `/customers/${segment(userId)}`;

const GARBLED: Outcome = { is: "refused", text: "This form is not whole. Load the page again.", field: undefined };

/** The registration that the form was filled in beside; undefined where it is none. */
async function seenBy(form: FormData): Promise<Registration | undefined> {
  await dispatcher(form);
  try {
    const seen: unknown = JSON.parse(text(form, "seen"));
    return isRegistration(seen) ? seen : undefined;
  } catch {
    return undefined;
  }
}

/** Driver, place and end. Its state has what was typed, so that nothing of it is lost. */
export async function changeJob(_: { outcome: Outcome; values?: Values }, form: FormData): Promise<{ outcome: Outcome; values?: Values }> {
  if (form.has("theirs")) return { outcome: NOTHING };
  const seen = await seenBy(form);
  if (seen === undefined) return { outcome: GARBLED };
  const values = typed(form);
  const wanted = changeOf(seen, values);
  const outcome = await change(form, seen, wanted, "", { method: "PUT", body: changed(seen, wanted) }, "Changed.");
  if (outcome.is === "done") return { outcome };
  // What they do not want changed is from now on as it is there.
  return { outcome, values: outcome.is === "conflict" ? valuesOf({ ...outcome.now, ...wanted }) : values };
}

/** What has become of a customer who is to be added or removed: who that is, to try it again. */
export interface CustomerOutcome {
  outcome: Outcome;
  customer: string;
}

export async function addCustomer(_: CustomerOutcome, form: FormData): Promise<CustomerOutcome> {
  const typed = text(form, "customer").trim();
  if (form.has("theirs") || typed === "") return { outcome: NOTHING, customer: "" };
  const seen = await seenBy(form);
  if (seen === undefined) return { outcome: GARBLED, customer: typed };
  const customer = PEOPLE.find(({ role, name }) => role === "customer" && name.toLowerCase() === typed.toLowerCase())?.id ?? typed;
  const customers = [...new Set([...seen.customers, customer])].sort();
  const outcome = await change(form, seen, { customers }, userPath(customer), { method: "PUT" }, `${nameOf(customer)} sees this job.`);
  return { outcome, customer };
}

export async function removeCustomer(_: CustomerOutcome, form: FormData): Promise<CustomerOutcome> {
  const customer = text(form, "customer");
  if (form.has("theirs")) return { outcome: NOTHING, customer };
  const seen = await seenBy(form);
  if (seen === undefined) return { outcome: GARBLED, customer };
  const customers = seen.customers.filter((id) => id !== customer);
  const done = `${nameOf(customer)} does not see this job any more.`;
  return { outcome: await change(form, seen, { customers }, userPath(customer), { method: "DELETE" }, done), customer };
}

/** Closes the job, for ever. The form has asked whether they are sure. */
export async function closeJob(_: Outcome, form: FormData): Promise<Outcome> {
  if (!form.has("sure")) return { is: "refused", text: "Confirm that you want it closed for ever.", field: "sure" };
  const answer = await askOf<Job>(form, "/close", { method: "POST", body: { reason: text(form, "reason") } });
  return answer.ok ? { is: "done", text: "Closed." } : refused(answer);
}

/** A link is shown once: what is kept of it does not tell its code. */
export async function makeLink(_: { outcome: Outcome; url?: string }, form: FormData): Promise<{ outcome: Outcome; url?: string }> {
  const link = newLink(Date.now());
  const answer = await askOf<Job>(form, userPath(link), { method: "PUT" });
  if (!answer.ok) return { outcome: refused(answer) };
  // The browser's own word for where it is. Next.js has compared it with the host that was asked.
  const origin = (await headers()).get("origin") ?? "";
  const code = linkCode(linkKey(secret()), text(form, "jobId"), link);
  return { outcome: { is: "done", text: "The link is made." }, url: `${origin}/t#${code}` };
}

export async function revokeLink(_: Outcome, form: FormData): Promise<Outcome> {
  if (!isLink(text(form, "link"))) return GARBLED;
  const answer = await askOf<Job>(form, userPath(text(form, "link")), { method: "DELETE" });
  return answer.ok ? { is: "done", text: "Revoked: whoever has that link sees nothing any more." } : refused(answer);
}
