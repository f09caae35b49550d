import { isSameOrigin } from "@/session/same-origin";
import { endSession } from "@/session/session";
import { back } from "../back";

export async function POST(request: Request) {
  if (!isSameOrigin(request)) return new Response("This form is another site's.", { status: 403 });
  await endSession();
  return back("/sign-in");
}
