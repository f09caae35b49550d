// The session with Towline: a JWT in an HttpOnly cookie, which says who and in which role. It is short, and made again as long as `identify`
// knows them.

import "server-only";
import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import { cookieOptions } from "./cookie";
import { nameDriver } from "./driver-cookie";
import { forgetGuest, type Guest, rememberGuest } from "./guest";
import { forget, identify } from "./identity";
import { claims, sign } from "./jwt";
import type { Role, User } from "./user";

/** Towline's `SESSION_COOKIE`. */
export const COOKIE = "session";

/** A page is rendered with a session that lasts at least so long, in seconds. */
const ENOUGH = 300;

/** How long a session may be over of somebody whom `identify` still knows: it says whose pages this browser has open. */
const AS_LONG_AS_SIGNED_IN = "30d";

export interface Session {
  user: User | Guest;
  /** What Towline is asked with. */
  token: string;
}

/** What somebody asks Towline with. */
export function sessionToken(user: User | Guest): Promise<string> {
  return sign({ role: user.role, ...("job" in user && { jobs: [user.job] }) }, user.id, "1h");
}

/** Begins a session of whoever has signed in, or has opened a link, or makes it longer. */
export async function startSession(user: User | Guest) {
  // Who signs in is no guest any more, and is not one again when that ends.
  if (!("job" in user)) await forgetGuest();
  (await cookies()).set(COOKIE, await sessionToken(user), await cookieOptions());
  await nameDriver(user);
}

/** Begins a session of whoever has opened a link, in the place of whoever had signed in in this browser. */
export async function startGuestSession(guest: Guest) {
  await endSession();
  await rememberGuest(guest);
  await startSession(guest);
}

export async function endSession() {
  await forget();
  await forgetGuest();
  (await cookies()).delete(COOKIE);
  await nameDriver(undefined);
}

/**
 * Whose session it is, if it is one and the person who has signed in still has that role. One that is old is answered anew, and not set: a page that
 * is rendered, or a form that is sent, does not leave for that, and the cookie is renewed by the open page.
 */
async function session(): Promise<Session | undefined> {
  const token = (await cookies()).get(COOKIE)?.value;
  const [user, claimed] = await Promise.all([identify(), claims(token, AS_LONG_AS_SIGNED_IN)]);
  if (token === undefined || user === undefined || claimed === undefined) return undefined;
  if (claimed.sub !== user.id || claimed.role !== user.role) return undefined;
  const isEnough = claimed.exp * 1_000 > Date.now() + ENOUGH * 1_000;
  return { user, token: isEnough ? token : await sessionToken(user) };
}

/**
 * The session that a page is rendered for. Who has none is sent to get one, and comes back to `path`; who has another role goes where theirs is at home.
 */
export async function signedIn(path: string, ...roles: Role[]): Promise<Session> {
  const present = await session();
  if (present === undefined) redirect(`/session?to=${encodeURIComponent(path)}`);
  if (roles.length > 0 && !roles.includes(present.user.role)) redirect("/");
  return present;
}
