import { type NextRequest, NextResponse } from "next/server";
import { supabase } from "./session/supabase";
import { toTowline } from "./towline/proxy";

// Every page and route asks who is signed in.
export const config = { matcher: "/((?!_next/).*)" };

export async function proxy(request: NextRequest) {
  if (request.nextUrl.pathname.startsWith("/api/")) return toTowline(request);
  let response = NextResponse.next({ request });
  const { auth } = supabase({
    getAll: () => request.cookies.getAll(),
    // A renewed session goes to the page that is asked for, and to the browser.
    setAll: (changed, headers) => {
      for (const { name, value } of changed) request.cookies.set(name, value);
      response = NextResponse.next({ request });
      for (const { name, value, options } of changed) response.cookies.set(name, value, options);
      for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    },
  });
  // Renews it where it is about to end.
  await auth.getClaims();
  return response;
}
