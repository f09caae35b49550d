// An instance of Clerk's: its session tokens, which its script puts into a cookie, and the call of its back end that ends a session.

import { randomBytes } from "node:crypto";
import { type Asked, type Said, serve } from "./serve.ts";
import { Signer } from "./tokens.ts";
import type { Visitor } from "./visitor.ts";

export const FRONTEND = "clerk.example.com";
export const SECRET_KEY = "sk_live_of_the_tests";
/** Says where the instance is. */
export const PUBLISHABLE_KEY = `pk_live_${Buffer.from(`${FRONTEND}$`).toString("base64")}`;

/** How long a session token lasts, in seconds. */
const LIFETIME = 60;

interface User {
  public_metadata: Record<string, unknown>;
  unsafe_metadata: Record<string, unknown>;
}

export class ClerkInstance {
  url = "";
  readonly users = new Map<string, User>();
  /** The sessions that were ended by the app. */
  readonly revoked: string[] = [];
  readonly #signer = new Signer("RS256");

  static async start(): Promise<ClerkInstance> {
    const instance = new ClerkInstance();
    instance.url = await serve((asked) => instance.#answer(asked));
    return instance;
  }

  get pem() {
    return this.#signer.pem;
  }

  /** A user, as the back end makes one; returns its id. */
  add(role?: string): string {
    const id = `user_${randomBytes(12).toString("hex")}`;
    this.users.set(id, { public_metadata: role === undefined ? {} : { role }, unsafe_metadata: {} });
    return id;
  }

  /** What the script does in the browser once somebody has signed in, and each minute after that. Returns the session's id. */
  signIn(visitor: Visitor, id: string, more: { claims?: object; seconds?: number; signer?: Signer; azp: string }): string {
    const { claims, seconds = LIFETIME, signer = this.#signer, azp } = more;
    const session = `sess_${randomBytes(12).toString("hex")}`;
    const user = this.users.get(id);
    const now = Math.floor(Date.now() / 1_000);
    // The claims of the dashboard, and whatever a user might get into a token.
    const own = { metadata: user?.public_metadata, name: "A. User", unsafe_metadata: user?.unsafe_metadata, unsafeMetadata: user?.unsafe_metadata, ...user?.unsafe_metadata };
    const standard = { iss: `https://${FRONTEND}`, azp, sub: id, sid: session, nbf: now - 10, sts: "active", v: 2, fva: [0, -1] };
    visitor.cookies.set("__session", signer.token({ ...own, ...standard, ...claims }, seconds));
    visitor.cookies.set("__client_uat", String(now - 1));
    return session;
  }

  #answer({ method, url: { pathname }, headers }: Asked): Said {
    const [, session] = /^\/v1\/sessions\/(\w+)\/revoke$/.exec(pathname) ?? [];
    if (method !== "POST" || session === undefined) return { status: 404, body: { errors: [] } };
    if (headers.authorization !== `Bearer ${SECRET_KEY}`) return { status: 401, body: { errors: [] } };
    this.revoked.push(session);
    return { status: 200, body: { object: "session", id: session, status: "revoked" } };
  }
}
