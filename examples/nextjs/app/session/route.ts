// Sessions with Towline are made here, of whoever has signed in.

import { cookies } from "next/headers";
import { identify } from "@/session/identity";
import { COOKIE, endSession, startSession } from "@/session/session";
import { back } from "./back";

/** A page whose session is over comes here, and goes back. */
export async function GET(request: Request) {
  const to = new URL(request.url).searchParams.get("to") ?? "/";
  return (await renew()) ? back(to) : back(`/sign-in?to=${encodeURIComponent(to)}`);
}

/** An open page renews its session. */
export async function POST() {
  return new Response(null, { status: (await renew()) ? 204 : 401 });
}

async function renew(): Promise<boolean> {
  const user = await identify();
  if (user !== undefined) await startSession(user);
  // Another site's form brings no cookie, which says nothing of who is signed in, and must not sign them out.
  else if ((await cookies()).has(COOKIE)) await endSession();
  return user !== undefined;
}
