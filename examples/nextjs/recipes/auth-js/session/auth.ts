// Auth.js: signs in with a provider, here any that speaks OpenID Connect. It says who somebody is. Their role is what `person` knows.

import "server-only";
import type { NextAuthOptions } from "next-auth";
import { person } from "./people";
import type { User } from "./user";

declare module "next-auth" {
  interface Session {
    user?: User;
  }
}

export const options: NextAuthOptions = {
  providers: [
    {
      id: "sso",
      name: "Single sign-on",
      type: "oauth",
      wellKnown: `${process.env.OIDC_ISSUER}/.well-known/openid-configuration`,
      clientId: process.env.OIDC_CLIENT_ID,
      clientSecret: process.env.OIDC_CLIENT_SECRET,
      authorization: { params: { scope: "openid" } },
      idToken: true,
      checks: ["pkce", "state", "nonce"],
      // Nothing but who it is: whatever else a profile says, its owner may have written.
      profile: ({ sub }: { sub: string }) => ({ id: sub }),
    },
  ],
  pages: { signIn: "/sign-in", error: "/sign-in" },
  callbacks: {
    signIn: ({ user }) => person(user.id) !== undefined,
    // Looked up each time, so that a role that is taken away is gone at once. There is no `jwt` callback, on purpose: with the trigger `update` it
    // gets whatever a browser has posted as `session`, and what it merges into the token the browser has made up.
    session: ({ session, token }) => ({ ...session, user: person(token.sub ?? "") }),
  },
};
