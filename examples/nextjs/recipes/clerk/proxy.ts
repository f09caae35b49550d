import { clerkMiddleware } from "@clerk/nextjs/server";
import type { NextFetchEvent, NextRequest } from "next/server";
import { toTowline } from "./towline/proxy";

// Every page and route asks who is signed in.
export const config = { matcher: "/((?!_next/).*)" };

const clerk = clerkMiddleware(
  () => {},
  () => {
    const { APP_ORIGIN, CLERK_JWT_KEY } = process.env;
    if (!APP_ORIGIN) throw new Error("APP_ORIGIN is not set: where this app is, such as https://app.example.com");
    // A session token that was made for a page of another origin is none here. The key has to be said: Clerk's package looks for none.
    return { authorizedParties: [APP_ORIGIN], jwtKey: CLERK_JWT_KEY };
  },
);

export function proxy(request: NextRequest, event: NextFetchEvent) {
  // Not by way of Clerk, which adds the session token to what it passes on.
  return request.nextUrl.pathname.startsWith("/api/") ? toTowline(request) : clerk(request, event);
}
