// What an open page asks of `/session`. A session token of Clerk's lasts a minute, and the script that renews it sleeps when the laptop does: so a
// good one is waited for, or the server would find nobody signed in.

import { getToken } from "@clerk/nextjs";

async function post(path: string) {
  await getToken();
  return fetch(path, { method: "POST", redirect: "manual" });
}

let isEnding = false;

/** Asks for another session with Towline, where the one that it was asked with is over. Where nobody is signed in any more, the page goes to where one does. */
export async function renewSession() {
  const { status } = await post("/session");
  // Whoever signs out here is on their way there.
  if (status === 401 && !isEnding) location.reload();
}

export async function endSession() {
  isEnding = true;
  try {
    await post("/session/sign-out");
  } catch (error) {
    isEnding = false;
    throw error;
  }
}
