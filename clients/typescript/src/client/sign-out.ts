// Signing out: what waits has time to leave, it is said how much is left, and nothing is left to who comes next.

import type { Clock, Connection, LeavingRoom } from "./types.ts";

/** How long what still waits may take to leave. */
const LEAVE_MS = 5_000;
/** How much longer than it may take something is waited for, where storage does not answer: nobody must be kept from signing out. */
const PATIENCE_MS = 2_000;

export interface SignOut {
  /** Ends the session, by the page's own means: a request to its server that deletes the cookie, say. */
  endSession: () => Promise<unknown>;
  /**
   * Told how many of this user's fixes could not be sent, where there are any, before they are deleted from this device. `0`: nobody can say
   * how many, as what keeps them does not answer. `false`: do not sign out after all.
   */
  left?: (count: number) => boolean | void | Promise<boolean | void>;
  /** Where to go; left out, the document is loaded anew. */
  to?: string;
}

interface Means {
  rooms: ReadonlySet<LeavingRoom>;
  clock: Clock;
  stop(reason: NonNullable<Connection["reason"]>): void;
  /** Whether the client has stopped before. */
  isStopped(): boolean;
  /** Tells the other tabs, as long as they are listened to. */
  tell(): void;
  load(to: string | undefined): void;
}

/**
 * What may fail or be called off comes first, and changes nothing. Once the session has ended, there is no way back: the page is erased before
 * anything else, as it is nobody's, and only then is deleted what could not leave.
 */
export function signingOut({ rooms, clock, isStopped, stop, tell, load }: Means): (how: SignOut) => Promise<boolean> {
  let doing: Promise<boolean> | undefined;
  const bounded = <T>(promise: Promise<T>, ms: number) =>
    Promise.race([promise, new Promise<undefined>((resolve) => void clock.after(ms, () => resolve(undefined)))]);

  async function signOut({ endSession, left, to }: SignOut) {
    const leaving = [...rooms];
    const counts = await Promise.all(leaving.map(({ leave }) => bounded(leave(LEAVE_MS).catch(() => undefined), LEAVE_MS + PATIENCE_MS)));
    let out = false;
    try {
      const isAsked = counts.some((count) => count !== 0);
      if (isAsked && left && (await left(counts.reduce<number>((sum, count = 0) => sum + count, 0))) === false) return false;
      await endSession();
      out = true;
    } finally {
      if (!out) for (const { resume } of leaving) resume();
    }
    // On a page that another user's session has stopped, it is not its own user who signs out: theirs waits for them.
    const theirs = isStopped();
    tell();
    stop("signed_out");
    // Of whatever cannot even say what it has, nothing is forgotten.
    const known = leaving.filter((_, index) => counts[index] !== undefined);
    if (!theirs) await bounded(Promise.allSettled(known.map(({ forget }) => forget())), PATIENCE_MS);
    load(to);
    return true;
  }
  // Whoever asks twice signs out once.
  return (how) =>
    (doing ??= signOut(how).finally(() => {
      doing = undefined;
    }));
}
