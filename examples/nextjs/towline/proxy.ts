// Towline at the page's own origin, so that the browser sends the session's cookie, and no script has to see it.

import { decodeJwt } from "jose";
import { type NextRequest, NextResponse } from "next/server";
import { towlineUrl } from "./url";

/** Leads a request below `/api` to Towline. */
export function toTowline(request: NextRequest): NextResponse {
  const headers = new Headers(request.headers);
  // Of this site's cookies Towline gets its own, and a session only by that.
  const session = lasting(request.cookies.get("session")?.value);
  headers.delete("authorization");
  headers.delete("cookie");
  if (session !== undefined) headers.set("cookie", `session=${session}`);
  return NextResponse.rewrite(new URL(request.nextUrl.pathname + request.nextUrl.search, towlineUrl()), { request: { headers } });
}

/**
 * A session that is not over. Towline answers one that was over for long with 403, after which a page stops for good; without one it is 401, and
 * the page has it renewed as long as somebody is signed in: also after a night asleep, or a drive without a network.
 */
function lasting(session: string | undefined): string | undefined {
  if (session === undefined) return undefined;
  try {
    return (decodeJwt(session).exp ?? 0) * 1_000 > Date.now() ? session : undefined;
  } catch {
    return undefined;
  }
}
