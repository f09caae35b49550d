// What an open page asks of `/session`.

import { post } from "./post";

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
    const { type, status } = await post("/session/sign-out");
    // It leads elsewhere. Anything else is of a server, or of what stands before it, that has not done it.
    if (type !== "opaqueredirect") throw new Error(`The session has not ended: ${status}.`);
  } catch (error) {
    isEnding = false;
    throw error;
  }
}
