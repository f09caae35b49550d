// What the parts of a peer hand each other.

/** A fix as it was posted, checked. */
export interface Fix {
  lat: number;
  lng: number;
  speed: number | undefined;
  heading: number | undefined;
  accuracy: number | undefined;
  altitude: number | undefined;
  capturedAt: number | undefined;
  id: string | undefined;
}

/** Why a fix, or a post, is not taken. */
export interface Rejection {
  reason: string;
  field?: string;
  detail: string;
}

/** A post that could be read: fixes, and what is wrong with those that are none. */
export interface Post {
  fixes: (Fix | Rejection)[];
}

/** A request that is refused: the name of a problem, and what is said beside it. */
export interface Refusal {
  problem: string;
  reason?: string;
  field?: string;
  detail?: string;
}

export interface Result {
  status: "accepted" | "late" | "duplicate" | "rejected";
  seq?: number;
  index?: number;
  field?: string;
  reason?: string;
  detail?: string;
}

export interface Reply {
  ok: true;
  jobId: string;
  epoch: number | null;
  results: Result[];
}

/** A row of the log: the fixes of one post. */
export interface Row {
  first: number;
  seq: number;
  ts: number;
  /** The newest live fix of the row, by its seq; 0 where all are late. */
  head: number;
  fixes: Fix[];
  /** The length of the row's body: what it adds to a message at most. */
  size: number;
}

/** How far the outbox has come: all up to `sent` is confirmed, a message that ends at `infl` may be on its way. */
export interface Position {
  sent: number;
  infl: number | null;
}

/** What became of a message. A status of 0 means that there was no answer. */
export interface Outcome {
  status: number;
  code: number;
  retryAfterMs: number;
}

/** Hands a message to Ably: by itself, or by way of an object that publishes for many jobs. */
export type Publish = (channel: string, message: string, signal: AbortSignal) => Promise<Outcome>;

export interface Session {
  sub: string;
  role: string;
  jobs: string[];
  exp: number;
  nbf: number;
  iat: number;
}

/** The bindings of a peer. */
export interface Env {
  ABLY_API_KEY: string;
  ABLY_REST_URL: string;
  SESSION_SECRET: string;
  SESSION_ISSUER?: string;
  SESSION_AUDIENCE?: string;
  /** As Towline's: so many fixes may wait for Ably. */
  JOB_UNSENT_MAX?: string;
  /** As Towline's: so many messages of a job leave a second at most. */
  JOB_PUBLISH_RATE?: string;
  /** As Towline's, of the peer with publishers: how many there are, and how many requests to Ably they make a second, all together. */
  ABLY_PUBLISHERS?: string;
  ABLY_REQUESTS_PER_SECOND?: string;
  JOBS: any;
  PUBLISHERS?: any;
}
