// A project of Supabase's: as much of its authentication as the recipe and the libraries ask for.

import { unique } from "../../e2e/support/world.ts";
import { type Asked, type Said, serve } from "./serve.ts";
import { claimsOf, Signer } from "./tokens.ts";

export const KEY = "sb_publishable_of_the_tests";
export const PASSWORD = "a password of everybody's";

interface User {
  id: string;
  email: string;
  app_metadata: Record<string, unknown>;
  user_metadata: Record<string, unknown>;
}

export class SupabaseProject {
  url = "";
  /** How long an access token lasts. */
  seconds = 3_600;
  /** Whether it can be reached. */
  isUp = true;
  /** How often sessions were renewed. */
  renewals = 0;
  readonly users: User[] = [];
  /** The sessions that have not ended, by id: whose they are, and the token that renews them. */
  readonly sessions = new Map<string, { user: User; refresh: string }>();
  readonly #signer = new Signer("ES256");

  static async start(): Promise<SupabaseProject> {
    const project = new SupabaseProject();
    project.url = await serve((asked) => project.#answer(asked));
    return project;
  }

  /** A user, as the back end makes one; returns its id. */
  add(role?: string): string {
    const id = crypto.randomUUID();
    this.users.push({ id, email: `${id}@example.com`, app_metadata: { provider: "email", ...(role && { role }) }, user_metadata: {} });
    return id;
  }

  /** The sessions of a user end, as when they are banned. */
  end(id: string) {
    for (const [session, { user }] of this.sessions) if (user.id === id) this.sessions.delete(session);
  }

  #answer({ method, url: { pathname, searchParams }, headers, body }: Asked): Said {
    if (!this.isUp) return { status: 503, body: { message: "out of order" } };
    if (pathname === "/auth/v1/.well-known/jwks.json") return { status: 200, body: this.#signer.jwks };
    if (headers.apikey !== KEY) return { status: 401, body: { message: "No API key found in request" } };
    const sent = body === "" ? {} : JSON.parse(body);
    if (pathname === "/auth/v1/token") return searchParams.get("grant_type") === "password" ? this.#signIn(sent) : this.#refresh(sent);
    const id = claimsOf(headers.authorization ?? "").session_id;
    const session = this.sessions.get(String(id));
    if (session === undefined) return { status: 403, body: { code: 403, error_code: "session_not_found", msg: "Session from session_id claim in JWT does not exist" } };
    if (pathname === "/auth/v1/logout") {
      if (searchParams.get("scope") === "local") this.sessions.delete(String(id));
      else this.end(session.user.id);
      return { status: 204 };
    }
    // Of what a user sends, `data` is all that counts.
    if (method === "PUT") Object.assign(session.user.user_metadata, sent.data);
    return { status: 200, body: { aud: "authenticated", role: "authenticated", ...session.user } };
  }

  #signIn({ email, password }: Record<string, string>): Said {
    const user = this.users.find((one) => one.email === email);
    if (user === undefined || password !== PASSWORD) return { status: 400, body: { code: 400, error_code: "invalid_credentials", msg: "Invalid login credentials" } };
    return this.#issue(unique("session"), user);
  }

  /** Each of these tokens is good for once. Who brings one again has stolen it, or was stolen from: the session ends. */
  #refresh({ refresh_token: token = "" }: Record<string, string>): Said {
    const id = token.split("/")[0] ?? "";
    const session = this.sessions.get(id);
    this.renewals += 1;
    if (session?.refresh === token) return this.#issue(id, session.user);
    this.sessions.delete(id);
    return { status: 400, body: { code: 400, error_code: "refresh_token_already_used", msg: "Invalid Refresh Token: Already Used" } };
  }

  #issue(id: string, user: User): Said {
    const refresh_token = `${id}/${unique("refresh")}`;
    this.sessions.set(id, { user, refresh: refresh_token });
    const { id: sub, ...known } = user;
    const claims = { iss: `${this.url}/auth/v1`, sub, aud: "authenticated", role: "authenticated", session_id: id, aal: "aal1", ...known };
    const expires_at = Math.floor(Date.now() / 1_000) + this.seconds;
    return { status: 200, body: { access_token: this.#signer.token(claims, this.seconds), token_type: "bearer", expires_in: this.seconds, expires_at, refresh_token, user: { role: "authenticated", ...user } } };
  }
}
