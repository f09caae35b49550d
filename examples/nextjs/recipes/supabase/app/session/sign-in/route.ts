import { supabaseHere } from "@/session/identity";
import { isSameOrigin } from "@/session/same-origin";
import { back } from "../back";

export async function POST(request: Request) {
  if (!isSameOrigin(request)) return new Response("This form is another site's.", { status: 403 });
  const form = await request.formData();
  const to = String(form.get("to") ?? "/");
  const credentials = { email: String(form.get("email")), password: String(form.get("password")) };
  const { error } = await (await supabaseHere()).auth.signInWithPassword(credentials);
  return back(error ? `/sign-in?failed&to=${encodeURIComponent(to)}` : to);
}
