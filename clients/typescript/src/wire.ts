// What the service says, as its description has it.

/** A place in a job's order: `(epoch, seq)` only grows. */
export interface Place {
  epoch: number;
  seq: number;
}

/** A position as it was measured, without when. */
export interface Measured {
  /** Degrees, WGS 84. */
  lat: number;
  lng: number;
  /** Metres a second. */
  speed?: number;
  /** Degrees clockwise from north. */
  heading?: number;
  /** Metres. */
  accuracy?: number;
  /** Metres. */
  altitude?: number;
  /** Why `capturedAt` is not what the phone said. */
  clock?: "ahead" | "repaired";
}

/** A late fix, or one that left with others: `[seq, effective time, lat, lng]`. More may stand at the end. */
export type Backfill = [seq: number, capturedAt: number, lat: number, lng: number, ...more: unknown[]];

/** `location.updated`: the marker moves. */
export interface LocationUpdated extends Measured, Place {
  jobId: string;
  fromSeq: number;
  headSeq?: number;
  capturedAt: number;
  ts: number;
  backfill?: Backfill[];
}

/** `location.backfilled`: the trail has more, and the marker stays. */
export interface LocationBackfilled extends Place {
  jobId: string;
  fromSeq: number;
  ts: number;
  backfill: Backfill[];
}

/** `job.…` and `driver.…`. */
export interface JobEvent {
  jobId: string;
  epoch: number;
  afterSeq: number;
  version: number;
  ts: number;
  id?: string;
  type?: string;
  reason?: string;
  since?: number;
}

/** What a driver's phone says of itself when it has no position to tell. */
export type PhoneState = "parked" | "no_permission" | "no_fix" | "off_duty";

/** How the driver is heard of; in the first state and in a job. */
export interface Vitals {
  lastHeard?: number;
  heartbeat?: PhoneState;
  silentSince?: number;
  fixMissingSince?: number;
}

/** `GET /api/jobs/{jobId}/location`: with a fix; before the first one; behind a gate. */
export type FirstState =
  | (Measured & Vitals & Place & { jobId: string; fromSeq: number; capturedAt: number; ts: number; now: number; ageMs: number; withheld?: never })
  | (Vitals & { jobId: string; epoch: number | null; seq: 0; now: number; withheld?: never })
  | { jobId: string; withheld: true; gate: "from" | "within"; opensAt?: number; now: number };

/** A fix of the trail. */
export interface TrailFix extends Measured, Place {
  ts: number;
  capturedAt: number;
  phoneTime?: number;
  late?: true;
  driver?: string;
  id?: string;
}

/** `GET /api/jobs/{jobId}/locations`. */
export type TrailPage =
  | {
      jobId: string;
      epoch: number | null;
      published: Place | null;
      setAside: { epoch: number; fromSeq: number; seq: number }[];
      locations: TrailFix[];
      next: string | null;
      withheld?: never;
    }
  | { jobId: string; withheld: true; gate: "from" | "within"; opensAt?: number; now: number };

/** An entry of `GET /api/jobs?state=open`. */
export interface OpenJob {
  jobId: string;
  state: "open";
  version: number;
  epoch: number;
  driver: string | null;
  startsAt?: number;
  endsAt?: number;
  dispatchId?: string;
  silentSince?: number;
  refusedSince?: number;
  heartbeat?: PhoneState;
}

/** A page of jobs. */
export interface JobList {
  jobs: OpenJob[];
  next: string | null;
}

/** The message on `notifications:user:{userId}`. */
export interface Notification {
  id: string;
  type: string;
  entityId: string;
  version: number;
  ts: number;
}

/** A problem (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  reason?: string;
  field?: string;
  detail?: string;
}

/** A fix as a driver posts it. */
export interface PostedFix {
  id?: string;
  lat: number;
  lng: number;
  speed?: number | null;
  heading?: number | null;
  accuracy?: number | null;
  altitude?: number | null;
  /** Unix milliseconds, the phone's clock. */
  capturedAt: number;
}

/** What has become of a fix that was posted. */
export type FixResult =
  | { status: "accepted" | "late" | "duplicate"; seq: number; clock?: "ahead" | "repaired" }
  | { status: "rejected"; index: number; reason: string; field?: string; detail: string };

/** The answer to a post. */
export interface PostAnswer {
  ok: true;
  jobId: string;
  epoch: number | null;
  results: FixResult[];
}

/** The answer to a heartbeat. */
export interface HeartbeatAnswer {
  ok: true;
  jobId: string;
  status: "heard" | "reassigned" | "job_closed";
}
