// What the client needs of where it runs, so that a test can bring its own.

import type { Towline, TowlineOptions } from "./towline.ts";
import type { Clock, Connection, EventSourceLike } from "./types.ts";

/** What a page may do. */
export type PageEvent = "visibilitychange" | "pagehide" | "pageshow" | "online";

/** The document, as far as it matters here. */
export interface Page {
  hidden(): boolean;
  /** Listens until what it returns is called. `persisted`: the page comes out of the back/forward cache. */
  on(event: PageEvent, listener: (event: { persisted?: boolean }) => void): () => void;
  /** Loads the document anew, or another one. */
  load(to: string | undefined): void;
}

/** What reaches the other tabs. */
export interface Tabs {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

/** A client of this tab. */
export interface Kept {
  towline: Towline;
  stop(reason: NonNullable<Connection["reason"]>): void;
  /** It was asked for again: from now on what the options call is of these. */
  adopt(options: TowlineOptions): void;
}

export interface Platform {
  clock: Clock;
  fetch: typeof fetch;
  /** Nothing on a server, where there is no one to show anything to: a client does nothing there. */
  page: Page | undefined;
  tabs(name: string): Tabs | undefined;
  eventSource(url: string): EventSourceLike;
  /** The clients of this tab, by the `url` of their service. */
  kept: Map<string, Kept>;
}

/** A jump of the device's clock by more than this, while the other one stood, is taken for a sleep. */
const SLEEP_MS = 1_000;

/**
 * A clock that only grows. `performance.now()` stands still while many a device sleeps, and the device's clock does not, but may be set: what
 * that one is ahead counts as slept through, since a position had better look too old than too young.
 */
function browserClock(): Clock {
  let [shown, ran, wall] = [0, performance.now(), Date.now()];
  return {
    now() {
      const [runs, walls] = [performance.now() - ran, Date.now() - wall];
      ran += runs;
      wall += walls;
      return (shown += walls - runs > SLEEP_MS ? walls : runs);
    },
    wall: Date.now,
    after(ms, call) {
      // What is longer than it can hold it calls at once.
      const timer = setTimeout(call, Math.min(ms, 2 ** 31 - 1));
      return () => clearTimeout(timer);
    },
  };
}

/** The one under which all copies of this module, and all that a reload of it in development leaves behind, find the same clients. */
const KEPT = Symbol.for("@towline/client");

/** The platform that this code runs on. */
export function platform(): Platform {
  const all = globalThis as { [KEPT]?: Map<string, Kept> };
  return {
    clock: browserClock(),
    fetch: (...request) => fetch(...request),
    page: typeof window === "undefined" ? undefined : browserPage(),
    tabs: (name) => (typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(name)),
    eventSource: (url) => new EventSource(url, { withCredentials: true }),
    kept: (all[KEPT] ??= new Map()),
  };
}

/** React Native has a `window`, but no document, location or events. */
function browserPage(): Page {
  const { document: shown, location: place } = globalThis as Partial<typeof globalThis>;
  return {
    hidden: () => shown?.visibilityState === "hidden",
    on(event, listener) {
      const target = event === "visibilitychange" ? shown : window;
      target?.addEventListener?.(event, listener as EventListener);
      return () => target?.removeEventListener?.(event, listener as EventListener);
    },
    load(to) {
      if (to === undefined) place?.reload();
      else place?.assign(to);
    },
  };
}
