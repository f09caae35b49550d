// Who is asking: whoever has signed in with Clerk.

import "server-only";
import { auth, clerkClient } from "@clerk/nextjs/server";
import { cookies } from "next/headers";
import { type Guest, guest } from "./guest";
import type { Role, User } from "./user";

declare global {
  /** What Clerk's dashboard puts into session tokens. `metadata` is `user.public_metadata`, which users cannot edit. */
  interface CustomJwtSessionClaims {
    metadata?: { role?: unknown };
    name?: string | null;
  }
}

/** Whoever has no role is a customer, who sees the jobs that name them and nothing else. */
const roleOf = (role: unknown): Role => (role === "dispatcher" || role === "driver" ? role : "customer");

/** Who has signed in in this browser, or has opened a link. */
export async function identify(): Promise<User | Guest | undefined> {
  const { userId, sessionClaims } = await auth();
  if (userId === null) return guest();
  return { id: userId, role: roleOf(sessionClaims.metadata?.role), name: sessionClaims.name || "Signed in" };
}

/** Signs out whoever has signed in. */
export async function forget() {
  const { sessionId } = await auth();
  // At Clerk, or its script would sign them in again.
  if (sessionId) await (await clerkClient()).sessions.revokeSession(sessionId);
  const all = await cookies();
  // What is in this cookie would be good for a minute more.
  for (const { name } of all.getAll()) if (/^__session(_|$)/.test(name)) all.delete(name);
}
