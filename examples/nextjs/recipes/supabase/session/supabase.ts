import { type CookieMethodsServer, createServerClient } from "@supabase/ssr";

/** Supabase, asked by this server for whoever's cookies these are: one for each request. */
export function supabase(cookies: CookieMethodsServer) {
  const { SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY } = process.env;
  if (!SUPABASE_URL || !SUPABASE_PUBLISHABLE_KEY) throw new Error("SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY are not set: the project's settings have both");
  // No script of a page has to see the session.
  return createServerClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, { cookies, cookieOptions: { httpOnly: true, secure: process.env.NODE_ENV === "production" } });
}
