// Who is asking. THIS IS AN EXAMPLE: anybody can be anybody of `people.json`. A platform has its own sign-in, and puts it in the place of
// this file: `recipes/` has Auth.js, Clerk and Supabase.

import "server-only";
import { cookies } from "next/headers";
import { cookieOptions } from "./cookie";
import { type Guest, guest } from "./guest";
import { claims, sign } from "./jwt";
import { person } from "./people";
import type { User } from "./user";

const COOKIE = "signed-in";

/** Who has signed in in this browser, or has opened a link. It decides the role, from what the server knows. */
export async function identify(): Promise<User | Guest | undefined> {
  const signedIn = await claims((await cookies()).get(COOKIE)?.value);
  return signedIn?.aud === COOKIE ? person(signedIn.sub) : guest();
}

export async function remember({ id }: User) {
  (await cookies()).set(COOKIE, await sign({ aud: COOKIE }, id, "7d"), await cookieOptions());
}

/** Signs out whoever has signed in. */
export async function forget() {
  (await cookies()).delete(COOKIE);
}
