// A session token of Clerk's lasts a minute, and the script that renews it sleeps when the laptop does: so a good one is waited for, or the
// server would find nobody signed in.

import { getToken } from "@clerk/nextjs";

/** Sends a form of `/session`'s, without going where its answer leads. */
export async function post(path: string) {
  await getToken();
  return fetch(path, { method: "POST", redirect: "manual" });
}
