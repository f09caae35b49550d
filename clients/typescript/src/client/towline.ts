// The client of a tab, which is one user's.

import { asking, type Session } from "./http.ts";
import { later } from "./later.ts";
import { lives } from "./life.ts";
import { type Platform, platform } from "./platform.ts";
import { signingOut, type SignOut } from "./sign-out.ts";
import { add, store } from "./store.ts";
import type { AblyOptions, Connection, Core, EventSourceLike, LeavingRoom, LoadAbly } from "./types.ts";

interface Common {
  /** Where the service is: its origin, such as `https://towline.example.com`; `""` where it is the page's own. */
  url: string;
  /**
   * Brings Ably's client, once something is listened to: `() => import("ably")`. Its presence chooses Ably. Without it there is stream mode, which
   * needs nothing, and has positions and events of jobs, but neither presence nor notifications.
   */
  ably?: LoadAbly;
  /** More options for Ably's client, such as where a local Ably is. What a client is authorized by is not among them. */
  ablyOptions?: AblyOptions;
  /**
   * Opens a stream. Left out, the browser's own does, with cookies. With `getSession` it has to be one that takes a `fetch`, which sends the session,
   * such as npm's `eventsource`: `(url, { fetch }) => new EventSource(url, { fetch })`. Required there where there is no `ably`.
   */
  eventSource?: (url: string, init: { fetch: (url: string | URL, init?: RequestInit) => Promise<Response> }) => EventSourceLike;
}

/** The session is a cookie, which no script reads. */
export interface ByCookies {
  cookies: true;
  /** Whose page it is: the session's `sub`, as the server knows it that has rendered the page. */
  user: string;
  /** Called once after a 401, where the page can have the cookie renewed; the request is then sent again. */
  renewSession?: () => Promise<unknown>;
  getSession?: never;
}

/** The session is a JWT that the page has. */
export interface BySession {
  /**
   * The present session's JWT; nothing where nobody is signed in. It is asked for before each request, so keep it at hand. `renew`: the service has
   * refused the one that there was (401), so bring another.
   */
  getSession: (renew: boolean) => Promise<string | undefined>;
  /** Whose page it is, the session's `sub`. Left out, it is that of the first session. */
  user?: string;
  cookies?: never;
  renewSession?: never;
}

export type TowlineOptions = Common & (ByCookies | BySession);

/** The client. What is shown and sent by it is one user's, or nothing. */
export interface Towline extends Core {
  /**
   * Signs out: takes no more positions, gives a driver's queue 5 s to leave, ends the session, forgets all that was shown, and what could not leave, tells the other tabs,
   * and loads the document anew, since a router keeps the first user's pages in memory. Answers `false` where `left` has called it off. It fails as `endSession` does, and
   * nothing has changed then.
   */
  signOut(how: SignOut): Promise<boolean>;
  /** Ends it, as if nothing had been shown. The next `createTowline` makes another. */
  close(): void;
}

/**
 * The client of this tab: the same one for the same service and user, however often it is asked for. It does nothing until something is watched,
 * and nothing at all on a server. Where a client of another user's is still there, that one is stopped.
 */
export function createTowline(options: TowlineOptions, on: Platform = platform()): Towline {
  const { url, user } = options;
  const kept = on.kept.get(url);
  if (kept) {
    const whose = kept.towline.user();
    if (user === undefined || whose === undefined || user === whose) {
      kept.adopt(options);
      return kept.towline;
    }
    kept.stop("another_user");
  }
  if (options.getSession && !options.ably && !options.eventSource) {
    throw new TypeError("createTowline: with getSession, stream mode needs `eventSource`, one that takes a `fetch`: the browser's own sends cookies only");
  }
  return make(options, on);
}

function make(options: TowlineOptions, on: Platform): Towline {
  const { ably, ablyOptions, eventSource } = options;
  const url = options.url.replace(/\/$/, "");
  const { clock, page } = on;
  let present = options;
  let confirmed = false;
  let isOver = page === undefined;
  const connection = store<Connection>({ state: "idle" });
  const reached = (state: Connection["state"], reason?: Connection["reason"]) => {
    const now = connection.get();
    if (!isOver && (state !== now.state || reason !== now.reason)) connection.set(reason ? { state, reason } : { state });
  };

  const heard = (isThere: boolean) => {
    if (!ably) reached(isThere ? "connected" : "offline");
  };

  const session: Session = {
    user: options.user,
    get: options.getSession && ((renew) => (present.getSession as BySession["getSession"])(renew)),
    renew: options.renewSession && (async () => present.renewSession?.()),
    isStopped: () => isOver,
    stop,
    heard(answer) {
      heard(answer.is !== "again" || answer.status !== undefined);
      // The cookie is this user's, so it is no other one's any more.
      if (answer.is !== "again" && options.cookies && !confirmed) {
        confirmed = true;
        tabs?.postMessage({ signedIn: session.user });
      }
    },
  };
  const { http, send } = asking(url, session, on);
  /** Says of a session of another user that it is. */
  const check = () => http({ path: "/api/whoami" });
  const life = lives(page, clock, options.cookies && check);
  const channels =
    page &&
    ably &&
    later(async () => (await import("./ably/channels.ts")).ablyChannels({ load: ably, options: ablyOptions, http, check, life, clock, reached }), clock);
  const ones = new Map<string, unknown>();
  const rooms = new Set<LeavingRoom>();
  const tabs = page && on.tabs(`towline:${url}`);
  if (tabs) {
    tabs.onmessage = ({ data: { signedIn, signedOut } }: { data: { signedIn?: string; signedOut?: string } }) => {
      const isOut = signedOut !== undefined && signedOut === session.user;
      if (!isOut && (!options.cookies || signedIn === undefined || signedIn === session.user)) return;
      stop(isOut ? "signed_out" : "another_user");
      tabs.close();
      page?.load(undefined);
    };
  }

  function stop(reason: NonNullable<Connection["reason"]>) {
    if (isOver) return;
    isOver = true;
    connection.set({ state: "stopped", reason });
    on.kept.delete(options.url);
    life.stop();
    channels?.stop();
    ones.clear();
    // Where it was the service that said so, the tab of the other user's says so too, and this page is loaded anew by that: alone, it may have been
    // rendered for the wrong user, and would be again.
    if (reason !== "another_user") tabs?.close();
  }

  const towline: Towline = {
    url,
    user: () => session.user,
    clock,
    http,
    channels,
    stream: eventSource
      ? (path) => eventSource(url + path, { fetch: (to, init = {}) => send(String(to), init) })
      : options.cookies && ((path) => on.eventSource(url + path)),
    connection,
    isStopped: () => isOver,
    heard,
    visible: life.visible,
    live: life.live,
    leaving: (room) => add(rooms, room),
    one<T>(name: string, make: () => T): T {
      if (!ones.has(name)) ones.set(name, make());
      return ones.get(name) as T;
    },
    forget: (name) => void ones.delete(name),
    signOut: signingOut({ rooms, clock, isStopped: () => isOver, stop, tell: () => isOver || tabs?.postMessage({ signedOut: session.user }), load: (to) => page?.load(to) }),
    close: () => stop("closed"),
  };
  const adopt = (next: TowlineOptions) => {
    present = next;
    session.user ??= next.user;
  };
  if (page) on.kept.set(options.url, { towline, stop, adopt });
  return towline;
}
