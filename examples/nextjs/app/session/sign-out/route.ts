import { identify } from "@/session/identity";
import { isSameOrigin } from "@/session/same-origin";
import { endSession } from "@/session/session";
import { back } from "../back";

export async function POST(request: Request) {
  if (!isSameOrigin(request)) return new Response("This form is another site's.", { status: 403 });
  const user = await identify();
  await endSession();
  // Who has come by a link has no account to sign in with.
  return back(user && "job" in user ? "/t" : "/sign-in");
}
