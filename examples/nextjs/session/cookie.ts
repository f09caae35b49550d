import "server-only";
import { headers } from "next/headers";
import { ownHost } from "./same-origin";

/** How a cookie is set that says who somebody is. Without an expiry of its own, so that it outlives the JWT in it, and the end of that is told. */
export async function cookieOptions() {
  // On a laptop there is no TLS, and not every browser keeps a `Secure` cookie without.
  const secure = !/^(localhost|127\.0\.0\.1)(:\d+)?$/.test(ownHost(await headers()));
  return { httpOnly: true, secure, sameSite: "lax", path: "/" } as const;
}
