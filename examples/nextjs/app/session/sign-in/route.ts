// The role picker's form. It ends in a new document: a router would keep the pages of whoever was here before.

import { remember } from "@/session/identity";
import { person } from "@/session/people";
import { isSameOrigin } from "@/session/same-origin";
import { startSession } from "@/session/session";
import { back } from "../back";

export async function POST(request: Request) {
  if (!isSameOrigin(request)) return new Response("This form is another site's.", { status: 403 });
  const form = await request.formData();
  const user = person(String(form.get("id")));
  if (user === undefined) return new Response("There is nobody of that name.", { status: 400 });
  await remember(user);
  await startSession(user);
  return back(String(form.get("to") ?? "/"));
}
