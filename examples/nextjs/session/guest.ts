// Somebody who has followed a link to one job. Whatever signs people in, this stays as it is.

import "server-only";
import { cookies } from "next/headers";
import { cookieOptions } from "./cookie";
import { claims, sign } from "./jwt";

/** See `link.ts`. */
export interface Guest {
  id: string;
  role: "customer";
  name: string;
  job: string;
}

const COOKIE = "guest";

/** Who has opened a link in this browser. */
export async function guest(): Promise<Guest | undefined> {
  const opened = await claims((await cookies()).get(COOKIE)?.value);
  if (opened?.aud !== COOKIE || typeof opened.job !== "string") return undefined;
  return { id: opened.sub, role: "customer", name: "Guest", job: opened.job };
}

export async function rememberGuest({ id, job }: Guest) {
  (await cookies()).set(COOKIE, await sign({ aud: COOKIE, job }, id, "7d"), await cookieOptions());
}

export async function forgetGuest() {
  (await cookies()).delete(COOKIE);
}
