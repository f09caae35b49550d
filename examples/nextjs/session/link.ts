// Links to one job. What a link stands for is a customer of the job, `link-…`, in Towline's registry: so the list of a job's links is there, a
// link ends when that customer is removed or the job ends, and nothing else has to be kept.

import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";
import { LINK } from "./link-id";

/** The key of the links' codes. Whoever reads the registry knows the customers, and makes no code of them without it. */
export function linkKey(secret: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, "", "towline share links", 32));
}

/** The customer that a new link stands for. @param now Unix milliseconds */
export function newLink(now: number): string {
  return `${LINK}${Math.floor(now / 1_000).toString(36)}-${randomBytes(16).toString("base64url")}`;
}

/**
 * What stands behind the `#` of a link: job, what nobody else can make of job and link, and the link. So it ends as the link's id does, by which
 * somebody who has a link before them finds it in the list.
 */
export function linkCode(key: Uint8Array, jobId: string, link: string): string {
  const proof = createHmac("sha256", key).update(`${jobId}\n${link}`).digest("base64url");
  return `${Buffer.from(jobId).toString("base64url")}.${proof}.${link.slice(LINK.length)}`;
}

/** Which job a code is for, and which of its links; undefined unless `linkCode` has made exactly this. */
export function openLink(key: Uint8Array, code: string): { jobId: string; link: string } | undefined {
  const [job, proof, rest] = code.split(".");
  if (job === undefined || proof === undefined || rest === undefined) return undefined;
  const jobId = Buffer.from(job, "base64url").toString();
  const link = LINK + rest;
  // All of it is compared, so that there is one way to write a code.
  const given = Buffer.from(code);
  const right = Buffer.from(linkCode(key, jobId, link));
  return given.length === right.length && timingSafeEqual(given, right) ? { jobId, link } : undefined;
}
