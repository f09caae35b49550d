// What the rooms of the client say to each other.

/** Time, so that a test can play it. */
export interface Clock {
  /** Milliseconds that only grow, from whenever. */
  now(): number;
  /** Unix milliseconds by the device's clock, which may be wrong and may be set. */
  wall(): number;
  /** Calls once, after so many milliseconds, unless what it returns is called before. */
  after(ms: number, call: () => void): () => void;
}

/** Something that changes, in the shape that `useSyncExternalStore` reads: the same value as long as nothing has changed. */
export interface Store<T> {
  get(): T;
  /** Calls at each change, until what it returns is called. */
  subscribe(changed: () => void): () => void;
}

/** What has become of a request. */
export type Answer<T> =
  /** 2xx, or 304 with `body` undefined. */
  | { is: "ok"; status: number; body: T; etag: string | undefined }
  /** No answer, 408, 429, 5xx, or a 401 that a renewed session did not mend: the same again, later. */
  | { is: "again"; status: number | undefined; type: string | undefined; reason: string | undefined; afterMs: number | undefined }
  /** Any other 4xx. `type` is the name at the end of the problem's `urn`. */
  | { is: "refused"; status: number; type: string; reason: string | undefined }
  /** The client belongs to nobody any more: signed out, closed, or another user's session. Nothing was asked, or the answer is not for this page. */
  | { is: "stopped" };

/** A request to the service. */
export interface Ask {
  method?: "GET" | "POST";
  /** From `/api/` on, with its query. */
  path: string;
  body?: unknown;
  etag?: string | undefined;
  /** Lets it outlive the page. */
  keepalive?: boolean;
  signal?: AbortSignal;
}

/** The service, asked as the client's user and as nobody else. */
export type Http = <T>(ask: Ask) => Promise<Answer<T>>;

/** Who listens to a channel. */
export interface ChannelListener {
  /** `at` is the clock's `now` at its arrival. */
  message?(name: string, data: unknown, at: number): void;
  /** Who is there, complete, at each change. `timestamp`: when they came or last changed what they say, Unix milliseconds by Ably's clock. */
  presence?(members: { clientId: string; connectionId: string; data: unknown; timestamp: number }[]): void;
  /** Attached; `continuous`: nothing was missed since it was attached before. */
  attached?(continuous: boolean, at: number): void;
  /** Not attached: the network, a hidden tab. It comes back by itself. */
  detached?(at: number): void;
  /** The token does not have it (40160), also after a new token was asked for it by name. */
  refused?(at: number): void;
}

/** Ably's channels, each attached as long as somebody listens, on one connection a tab. */
export interface Channels {
  /** Loads what it needs, so that it is there once somebody listens. */
  prepare?(): Promise<unknown>;
  /** Listens until what it returns is called. `jobId`: the job whose channel it is. */
  listen(channel: string, listener: ChannelListener, jobId?: string): () => void;
  /** Enters a channel's presence until what it returns is called, and keeps the connection open meanwhile, also where the tab is hidden. */
  enter(channel: string, data: unknown): () => void;
}

/** What is used of `ably`, as `import("ably")` brings it: said without Ably's types, which a page that streams does not have. */
export interface AblyModule {
  Realtime: new (options: never) => object;
}

/** Brings `ably`, once a connection is wanted. */
export type LoadAbly = () => Promise<AblyModule | { default: AblyModule }>;

/** More of Ably's `ClientOptions`. What a client is authorized by, and when it closes, is not among them. */
export interface AblyOptions {
  endpoint?: string;
  port?: number;
  tls?: boolean;
  authCallback?: never;
  authUrl?: never;
  clientId?: never;
  key?: never;
  token?: never;
  tokenDetails?: never;
  closeOnUnload?: never;
  [option: string]: unknown;
}

/** How the client reaches the service. */
export interface Connection {
  /**
   * `idle`: nobody watches. `connecting`, `connected`. `offline`: it tries again by itself. `hidden`: closed as nobody looks.
   * `stopped`: the client is, and does not try again.
   */
  state: "idle" | "connecting" | "connected" | "offline" | "hidden" | "stopped";
  /** Why it has stopped. Where it is `offline`, `refused` only: there is no token, or Ably takes none; asked again after minutes. */
  reason?: "signed_out" | "another_user" | "session_ended" | "refused" | "closed";
}

/** What the page does, and what the client has to do about it. */
export interface Life {
  /** The page is being put away, and may come back as it is (`pagehide`): what is shown is erased, at once. */
  erase(): void;
  /** It is seen again, has come back (`pageshow`, persisted), or the network has: ask anew, at once. */
  refresh(): void;
  /** The client is stopped for good: erase, and ask nothing. */
  stop(): void;
}

/** Something with data of the user's that has to leave before they sign out. */
export interface LeavingRoom {
  /** Takes nothing more, lets leave within `ms` what can, and says how many are left. */
  leave(ms: number): Promise<number>;
  /** Nobody signs out after all: it goes on as before. */
  resume(): void;
  /** Deletes what is left. */
  forget(): Promise<void>;
}

/** What jobs, boards, presence and the driver are made with. */
export interface Core {
  readonly url: string;
  /** Whose client it is; undefined until a first session has said it (`getSession` only). */
  readonly user: () => string | undefined;
  readonly clock: Clock;
  readonly http: Http;
  /** Nothing in stream mode. */
  readonly channels: Channels | undefined;
  /** Opens a stream of a job, as `EventSource` does; nothing where there is no means to. */
  readonly stream: ((path: string) => EventSourceLike) | undefined;
  readonly connection: Store<Connection>;
  /** Whether the client belongs to nobody any more: nothing is asked by it, and nothing shown. */
  isStopped(): boolean;
  /** A stream is answered, or is not: by what is heard of the service `connection` goes, where there are no channels. */
  heard?(answered: boolean): void;
  /** Whether the page is seen. */
  readonly visible: Store<boolean>;
  /** Tells what the page does, until what it returns is called. */
  live(life: Partial<Life>): () => void;
  /** What has to leave before somebody signs out, until what it returns is called. */
  leaving(room: LeavingRoom): () => void;
  /** The one thing of a name that this client has; made when it is first asked for. So that all of a tab share jobs and boards. */
  one<T>(name: string, make: () => T): T;
  /** Makes it anew when it is next asked for. */
  forget(name: string): void;
}

/** The part of `EventSource` that is used, so that another one can take its place. */
export interface EventSourceLike {
  readonly readyState: number;
  addEventListener(name: string, listener: (event: { data?: unknown; lastEventId?: string }) => void): void;
  close(): void;
}
