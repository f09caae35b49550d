// The service, asked as one user and as nobody else.

import type { Platform } from "./platform.ts";
import type { Answer, Ask, Connection, Http } from "./types.ts";

/** An answer that has not come by then is none. */
const TIMEOUT_MS = 10_000;

/** Nobody is made to wait for longer by what is between here and the service. */
const AFTER_MOST_MS = 300_000;

/** Whose client it is, and how a request says so. */
export interface Session {
  /** Undefined until a first session has said it. */
  user: string | undefined;
  /** The JWT; not where the session is a cookie. */
  get: ((renew: boolean) => Promise<string | undefined>) | undefined;
  /** Renews the cookie; not where the page has no means to. */
  renew: (() => Promise<unknown>) | undefined;
  /** Whether it belongs to nobody any more, or never did. */
  isStopped(): boolean;
  stop(reason: NonNullable<Connection["reason"]>): void;
  /** There is an answer, for this user. */
  heard(answer: Answer<unknown>): void;
}

export interface Asking {
  http: Http;
  /** `fetch`, with the session and by the same rules, for whatever else speaks to the service. Fails where there is no session. */
  send(url: string, init: RequestInit): Promise<Response>;
}

export function asking(url: string, session: Session, { fetch, clock }: Platform): Asking {
  let renewing: Promise<string | undefined> | undefined;

  /** The session's JWT, after it was renewed if need be: once for all who ask meanwhile. */
  async function token(renew: boolean) {
    if (!renew) return session.get?.(false);
    const begin = async () => {
      if (session.get) return session.get(true);
      await session.renew?.();
      return undefined;
    };
    if (renewing) return renewing;
    const done = () => {
      cancel();
      if (renewing === mine) renewing = undefined;
    };
    // One that never ends keeps nobody from another.
    const cancel = clock.after(TIMEOUT_MS, done);
    const mine = (renewing = begin().finally(done));
    return mine;
  }

  /** Headers that say whose request it is. Nothing where it must not be sent. */
  async function signed(init: RequestInit, renew: boolean): Promise<RequestInit | undefined> {
    const headers = new Headers(init.headers);
    const jwt = await token(renew);
    if (session.get) {
      if (!jwt) return undefined;
      const sub = subjectOf(jwt);
      session.user ??= sub;
      if (sub !== undefined && sub !== session.user) session.stop("another_user");
      headers.set("authorization", `Bearer ${jwt}`);
    }
    if (session.isStopped()) return undefined;
    if (session.user !== undefined) headers.set("towline-user", session.user);
    return { ...init, headers, credentials: session.get ? "omit" : "include" };
  }

  async function send(url: string, init: RequestInit): Promise<Response> {
    for (let renew = false; ; renew = true) {
      const request = await signed(init, renew);
      if (request === undefined) throw new Error("nobody is signed in");
      const response = await fetch(url, request);
      if (response.status !== 401 || renew || !(session.get ?? session.renew)) return response;
    }
  }

  async function http<T>({ method = "GET", path, body, etag, keepalive, signal }: Ask): Promise<Answer<T>> {
    if (session.isStopped()) return { is: "stopped" };
    const abort = new AbortController();
    const give = () => abort.abort();
    const cancel = clock.after(TIMEOUT_MS, give);
    // Also where it is the session that does not come: what comes then sends nothing.
    const late = new Promise<never>((_, reject) => abort.signal.addEventListener("abort", reject));
    signal?.addEventListener("abort", give);
    if (signal?.aborted) give();
    const init: RequestInit = { method, signal: abort.signal, cache: "no-store" };
    if (keepalive) init.keepalive = true;
    if (etag !== undefined) init.headers = { "if-none-match": etag };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { ...init.headers, "content-type": "application/json" };
    }
    let answer: Answer<T>;
    try {
      answer = await Promise.race([late, send(url + path, init).then((response) => read<T>(response))]);
    } catch {
      answer = again();
    } finally {
      cancel();
      signal?.removeEventListener("abort", give);
    }
    if (answer.is === "refused" && answer.status === 403 && answer.type.startsWith("session_")) {
      const reasons = { session_of_another_user: "another_user", session_ended: "session_ended" } as const;
      session.stop(reasons[answer.type as keyof typeof reasons] ?? "refused");
    }
    if (session.isStopped()) return { is: "stopped" };
    // Whoever has changed their mind has learnt nothing of the network.
    if (!signal?.aborted) session.heard(answer);
    return answer;
  }
  return { http, send };
}

function again(status?: number, body: { type?: string; reason?: string | undefined } = {}, afterMs?: number): Answer<never> {
  return { is: "again", status, type: body.type || undefined, reason: body.reason, afterMs };
}

/** What the service says, and only that: what a proxy, or a hotel's network, answers in its place is no answer. */
async function read<T>(response: Response): Promise<Answer<T>> {
  const { status, headers } = response;
  const etag = headers.get("etag") ?? undefined;
  const media = headers.get("content-type") ?? "";
  // Read also where there is nothing in it: a request whose body nobody reads is not over for the browser.
  const text = await response.text();
  if (status === 204 || status === 304) return { is: "ok", status, body: undefined as T, etag };
  const json = media.includes("json");
  if (response.ok) {
    if (!json && !media.includes("jwt")) return again(status);
    return { is: "ok", status, body: json ? JSON.parse(text) : text, etag };
  }
  const problem = json ? JSON.parse(text) : {};
  // The token route's errors have Ably's shape, and a code in the place of a name.
  const type = String(problem.type ?? problem.error?.code ?? "").split(":").pop() as string;
  const { reason } = problem;
  if (!json || status < 400 || status > 499 || [401, 408, 429].includes(status)) {
    const seconds = Number(headers.get("retry-after") || NaN);
    return again(status, { type, reason }, Number.isNaN(seconds) ? undefined : Math.min(seconds * 1000, AFTER_MOST_MS));
  }
  return { is: "refused", status, type, reason };
}

/** The claims of a JWT, which whoever issued it has signed; here they are only read. */
export function claimsOf(jwt: string): Record<string, unknown> {
  try {
    return JSON.parse(atob((jwt.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return {};
  }
}

function subjectOf(jwt: string): string | undefined {
  const { sub } = claimsOf(jwt);
  return typeof sub === "string" ? sub : undefined;
}
