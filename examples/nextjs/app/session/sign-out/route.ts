import { guest } from "@/session/guest";
import { isSameOrigin } from "@/session/same-origin";
import { endSession } from "@/session/session";
import { back } from "../back";

export async function POST(request: Request) {
  if (!isSameOrigin(request)) return new Response("This form is another site's.", { status: 403 });
  // Not who has signed in: whoever knows that may be away, and then they are signed out all the same.
  const isGuest = (await guest()) !== undefined;
  await endSession();
  // Who has come by a link has no account to sign in with.
  return back(isGuest ? "/t" : "/sign-in");
}
