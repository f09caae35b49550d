// Who is asking: whoever has signed in with Auth.js.

import "server-only";
import { getServerSession } from "next-auth";
import { cookies } from "next/headers";
import { options } from "./auth";
import { type Guest, guest } from "./guest";
import type { User } from "./user";

/** Who has signed in in this browser, or has opened a link. */
export async function identify(): Promise<User | Guest | undefined> {
  return (await getServerSession(options))?.user ?? guest();
}

/** Signs out whoever has signed in. */
export async function forget() {
  const all = await cookies();
  // The session is in the cookie, or in several where it is long. A browser forgets one that is named `__Secure-…` only if told with `Secure`.
  for (const { name } of all.getAll()) {
    if (/^(__Secure-)?next-auth\.session-token/.test(name)) all.delete({ name, secure: name.startsWith("__Secure-") });
  }
}
