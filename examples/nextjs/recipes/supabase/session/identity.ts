// Who is asking: whoever has signed in with Supabase.

import "server-only";
import { cookies } from "next/headers";
import { type Guest, guest } from "./guest";
import type { Role, User } from "./user";
import { supabase } from "./supabase";

/** Supabase, for the request that is being answered. */
export async function supabaseHere() {
  const all = await cookies();
  return supabase({
    getAll: () => all.getAll(),
    setAll: (changed) => {
      try {
        for (const { name, value, options } of changed) all.set(name, value, options);
      } catch {
        // A page cannot set cookies, and need not: `proxy.ts` has renewed the session before.
      }
    },
  });
}

/** Whoever has no role is a customer, who sees the jobs that name them and nothing else. */
const roleOf = (role: unknown): Role => (role === "dispatcher" || role === "driver" ? role : "customer");

/** Who has signed in in this browser, or has opened a link. */
export async function identify(): Promise<User | Guest | undefined> {
  // It asks Supabase each time, so that a role that is taken away, or a session that was ended elsewhere, is gone at once. What `getSession` answers
  // is only what the browser has sent.
  const { data, error } = await (await supabaseHere()).auth.getUser();
  // That Supabase cannot be reached ends nobody's session: the page is asked for again.
  if (error && (!error.status || error.status === 429 || error.status >= 500)) throw error;
  if (!data.user) return guest();
  // `app_metadata`: its neighbour `user_metadata` users edit themselves.
  const { id, email, app_metadata } = data.user;
  return { id, role: roleOf(app_metadata.role), name: email ?? "Signed in" };
}

/** Signs out whoever has signed in, in this browser. */
export async function forget() {
  // Without a scope it would be everywhere.
  await (await supabaseHere()).auth.signOut({ scope: "local" });
}
