// What the service says. Generated from description/*.json by `npm run describe`: do not edit.

/** The place of a fix, in numbers. */
export interface Place {
  /** Which life of the job's sequence. */
  epoch: number;
  /** Its place in that life. */
  seq: number;
}

/** A late fix, or one that left with others: its seq, its effective time in Unix milliseconds, and its `lat` and `lng`. More may stand at the end. */
export type Backfill = [seq: number, capturedAt: number, lat: number, lng: number, ...more: unknown[]];

/** A live fix in full, and the others of its message: the marker moves. */
export interface LocationUpdated {
  /** The job. */
  jobId: string;
  /** Which life of the job's sequence. */
  epoch: number;
  /** The last seq that the message stands for. */
  seq: number;
  /** The first seq that the message stands for. */
  fromSeq: number;
  /** Degrees north. */
  lat: number;
  /** Degrees east. */
  lng: number;
  /** When the fix was accepted, Unix milliseconds. */
  ts: number;
  /** When it was measured as well as can be known, Unix milliseconds: no later than `ts`. */
  capturedAt: number;
  /** Metres. */
  accuracy?: number;
  /** Metres. */
  altitude?: number;
  /** The other fixes of the message, by seq. */
  backfill?: Backfill[];
  /** There where that is not what the phone said. */
  clock?: "ahead" | "repaired";
  /** The seq of the fix that follows, where it is not `seq`. */
  headSeq?: number;
  /** Degrees clockwise from north. */
  heading?: number;
  /** Metres a second. */
  speed?: number;
}

/** The data of `location.backfilled`: fixes that are all late, and move no marker. */
export interface LocationBackfilled {
  jobId: string;
  epoch: number;
  fromSeq: number;
  seq: number;
  ts: number;
  backfill: Backfill[];
}

/** The data of an event of a job's life: ids, versions and times, and nobody's name. */
export interface JobEvent {
  jobId: string;
  epoch: number;
  /** The last seq of the epoch before it. */
  afterSeq: number;
  version: number;
  ts: number;
  /** Of `job.updated` alone: what it is called, and what has changed. */
  id?: string;
  reason?: string;
  since?: number;
  type?: string;
}

/** Why a phone that is heard of tells no position. */
export type PhoneState = "parked" | "no_permission" | "no_fix" | "off_duty";

/** What everybody who takes part is told of the driver's phone; times are Unix milliseconds. */
export interface Vitals {
  /** When the vehicle has arrived at the place that the job has now, once that is told: when that was measured, or since whoever asks may know of it. */
  arrivedAt?: number;
  /** Since when there is no position, though it is heard of, and does not say that the vehicle stands. */
  fixMissingSince?: number;
  /** What it has said since its last position. */
  heartbeat?: PhoneState;
  /** When it was heard of last. */
  lastHeard?: number;
  /** Since when nothing was heard of it, once that is too long. */
  silentSince?: number;
}

/** The last live fix, and how old it is. */
export interface FirstFix {
  /** The job. */
  jobId: string;
  /** Which life of the job's sequence. */
  epoch: number;
  /** The last seq that the message stands for. */
  seq: number;
  /** The first seq that the message stands for. */
  fromSeq: number;
  /** Degrees north. */
  lat: number;
  /** Degrees east. */
  lng: number;
  /** When the fix was accepted, Unix milliseconds. */
  ts: number;
  /** When it was measured as well as can be known, Unix milliseconds: no later than `ts`. */
  capturedAt: number;
  /** Our clock when this was said, Unix milliseconds; in a first state alone. */
  now: number;
  /** How long ago the fix was measured by that clock, and 0 where that would be in the future, after our clock has gone back; in a first state alone. */
  ageMs: number;
  /** Metres. */
  accuracy?: number;
  /** Metres. */
  altitude?: number;
  /** When the vehicle has arrived at the place that the job has now, once that is told: when that was measured, or since whoever asks may know of it. */
  arrivedAt?: number;
  /** There where that is not what the phone said. */
  clock?: "ahead" | "repaired";
  /** Since when there is no position, though it is heard of, and does not say that the vehicle stands. */
  fixMissingSince?: number;
  /** Degrees clockwise from north. */
  heading?: number;
  /** What it has said since its last position. */
  heartbeat?: PhoneState;
  /** When it was heard of last. */
  lastHeard?: number;
  /** Since when nothing was heard of it, once that is too long. */
  silentSince?: number;
  /** Metres a second. */
  speed?: number;
}

/** `{jobId, epoch, seq: 0, now}`: no fix to show. */
export interface NoFix {
  /** The job. */
  jobId: string;
  /** `null` where no sequence has begun, which is nearly always: the last live fix may have been deleted. */
  epoch: number | null;
  /** Always 0, which is less than every seq. */
  seq: 0;
  /** Our clock, Unix milliseconds. */
  now: number;
  /** When the vehicle has arrived at the place that the job has now, once that is told: when that was measured, or since whoever asks may know of it. */
  arrivedAt?: number;
  /** Since when there is no position, though it is heard of, and does not say that the vehicle stands. */
  fixMissingSince?: number;
  /** What it has said since its last position. */
  heartbeat?: PhoneState;
  /** When it was heard of last. */
  lastHeard?: number;
  /** Since when nothing was heard of it, once that is too long. */
  silentSince?: number;
}

/** `{jobId, withheld: true, gate, opensAt?, now}`: nothing to show yet, and nothing to tell of the driver either. */
export interface Withheld {
  /** The job. */
  jobId: string;
  /** Always true. */
  withheld: true;
  /** By which part. */
  gate: "from" | "within";
  /** Our clock, Unix milliseconds. */
  now: number;
  /** When it opens, at the earliest; nothing where that is for the vehicle to say. Unix milliseconds. */
  opensAt?: number;
}

export type FirstState = (FirstFix & {
  withheld?: never;
}) | (NoFix & {
  withheld?: never;
}) | Withheld;

/** A fix of the trail. What the phone did not know is absent. */
export interface TrailFix {
  /** Which life of the job's sequence. */
  epoch: number;
  /** Its place in that life. */
  seq: number;
  /** When it was accepted, Unix milliseconds. */
  ts: number;
  /** When it was measured, as well as can be known, as subscribers are told. */
  capturedAt: number;
  /** Degrees north. */
  lat: number;
  /** Degrees east. */
  lng: number;
  /** Metres. */
  accuracy?: number;
  /** Metres. */
  altitude?: number;
  /** What is wrong with that clock. */
  clock?: "ahead" | "repaired";
  /** Whose it is, for those who may know. */
  driver?: string;
  /** Degrees clockwise from north. */
  heading?: number;
  /** The name that it came with, for the same. */
  id?: string;
  /** Whether it has moved no marker; there only where it has not. */
  late?: true;
  /** When by the phone's clock, where that is another time. */
  phoneTime?: number;
  /** Metres a second. */
  speed?: number;
}

/** A page of a trail. */
export interface Page {
  /** The job. */
  jobId: string;
  /** Which life of its sequence is the present one; `null` where none is. */
  epoch: number | null;
  /** The last fix with nothing before it, nor itself, that still waits for Ably; `null` where there is none. */
  published: Place | null;
  /** Those of this page's fixes that have not reached subscribers, as Ably refuses their messages for good. Each stands for one message, as far as that is on this page. */
  setAside: {
    /** Which life of the job's sequence. */
    epoch: number;
    /** The first seq. */
    fromSeq: number;
    /** The last. */
    seq: number;
  }[];
  /** The fixes, in the order of their places. */
  locations: TrailFix[];
  /** The place of the last one, where there are more after it. */
  next: string | null;
}

export type TrailPage = (Page & {
  withheld?: never;
}) | Withheld;

/** A job as the list of open jobs tells it: no customer, and neither a position nor the place. */
export interface OpenJob {
  jobId: string;
  /** It goes on: else it is not listed. */
  state: "open";
  version: number;
  epoch: number;
  /** `null` where it waits for a driver. */
  driver: string | null;
  endsAt: number;
  dispatchId?: string;
  /** What it has said since its last position. */
  heartbeat?: PhoneState;
  /** Since when all of its fixes are refused. */
  refusedSince?: number;
  /** Since when nothing was heard of it. */
  silentSince?: number;
  startsAt?: number;
}

export interface JobList {
  jobs: OpenJob[];
  /** `null` on the last page. */
  next: string | null;
}

/** A small event for one person: that something of a version is there, and not what it says. */
export interface Notification {
  /** By it the same one is recognised. */
  id: string;
  /** What has happened. */
  type: string;
  /** To what. */
  entityId: string;
  /** In which version of that, at most 2^53 − 1. */
  version: number;
  /** When it was accepted, Unix milliseconds. */
  ts: number;
}

/** A problem (RFC 9457). */
export interface Problem {
  /** `urn:towline:problem:` and a name, which do not change. */
  type: string;
  /** What the name means, for people. */
  title: string;
  /** The HTTP status. */
  status: number;
  /** What went wrong this time, for people. */
  detail?: string;
  /** The member, or the parameter, that is to blame. */
  field?: string;
  /** The stable code of what is to be mended. */
  reason?: string;
}

/** A position as a phone has measured it, WGS 84. Other members are ignored and not kept. */
export interface Fix {
  /** Degrees north. */
  lat: number;
  /** Degrees east. */
  lng: number;
  /** Radius of uncertainty in metres; negative is unknown. */
  accuracy?: number | null;
  /** Metres. */
  altitude?: number | null;
  capturedAt?: string | number | null;
  /** Degrees clockwise from north; negative is unknown. */
  heading?: number | null;
  id?: string | null;
  /** Metres a second; negative is unknown. */
  speed?: number | null;
}

/** What became of one fix, tagged by `status`. */
export type FixResult = {
  status: "accepted";
  /** Its place in the job's order. */
  seq: number;
  /** There where the phone's clock is wrong. */
  clock?: "ahead" | "repaired";
} | {
  status: "late";
  /** Its place in the job's order. */
  seq: number;
  /** There where the phone's clock is wrong. */
  clock?: "ahead" | "repaired";
} | {
  status: "duplicate";
  /** The place that it got then. */
  seq: number;
} | ({
  /** Its place in the post, from 0. */
  index: number;
  /** The stable code. */
  reason: string;
  /** The same for a developer. */
  detail: string;
  /** The field to look at; none where the fix as a whole is wrong. */
  field?: string;
} & {
  status: "rejected";
});

/** `{ok, jobId, epoch, results}`. */
export interface PostAnswer {
  /** Always true: the post was taken, whatever became of each fix. */
  ok: true;
  /** The job. */
  jobId: string;
  /** The epoch of every `seq` below; `null` where the job has no accepted fix yet. */
  epoch: number | null;
  /** `results[i]` answers `locations[i]`. */
  results: FixResult[];
}

/** `{ok, jobId, status}`: what a heartbeat was to the job. */
export interface HeartbeatAnswer {
  /** Always true. */
  ok: true;
  /** The job. */
  jobId: string;
  /** What it was. */
  status: "heard" | "reassigned" | "job_closed";
}

/** A job as somebody is told it. To a customer no one is named but themselves, and no place; to a driver no customer. */
export type Job = {
  /** The job. */
  jobId: string;
  /** Whether it goes on. */
  state: "open" | "closed";
  /** Counts its changes. */
  version: number;
  /** When it ends by itself, Unix milliseconds. */
  endsAt: number;
  /** When the vehicle has arrived at the place that the job has now, once that is told: when that was measured, or since whoever asks may know of it. */
  arrivedAt?: number;
  /** When it has, Unix milliseconds. */
  closedAt?: number;
  /** For whom. */
  customers?: string[];
  /** By which dispatch. */
  dispatchId?: string;
  /** Who drives; `null` where nobody does. */
  driver?: string | null;
  /** Which life of its sequence is the present one; not told to whom a gate holds back. */
  epoch?: number | null;
  /** What has become of each driver's fixes. */
  figures?: Record<string, {
    /** Live ones. */
    accepted: number;
    /** Kept, but of before the last live one. */
    late: number;
    /** Accepted before. */
    duplicate: number;
    /** Not kept, by the stable code of the reason. */
    rejected: Record<string, number>;
    /** Of those that are kept, those whose time was repaired. */
    repaired: number;
    /** And those whose clock was ahead. */
    ahead: number;
  }>;
  /** Since when there is no position, though it is heard of, and does not say that the vehicle stands. */
  fixMissingSince?: number;
  /** What it has said since its last position. */
  heartbeat?: PhoneState;
  /** When the driver's last fix was accepted, Unix milliseconds. */
  lastFixAt?: number;
  /** When it was heard of last. */
  lastHeard?: number;
  /** Where the vehicle is needed. */
  place?: {
    /** North, −90 to 90. */
    lat: number;
    /** East, −180 to 180. */
    lng: number;
  };
  /** Why it has ended, once it has. */
  reason?: string;
  /** Since when all of their fixes are refused, Unix milliseconds. */
  refusedSince?: number;
  /** Since when nothing was heard of it, once that is too long. */
  silentSince?: number;
  /** When it is planned to begin, Unix milliseconds. */
  startsAt?: number;
} & ({
  /** Always true. */
  withheld: true;
  /** By which part. */
  gate: "from" | "within";
  /** When it opens, at the earliest; nothing where that is for the vehicle to say. Unix milliseconds. */
  opensAt?: number;
} | {
  /** By role. */
  gate: {
    /** The gate for customers. */
    customer: {
      /** Until then, Unix milliseconds. */
      from?: number;
      /** Since when customers see the driver, once they do, Unix milliseconds. */
      openedAt?: number;
      /** Until the vehicle is so near the place, in metres. */
      within?: number;
    };
  };
  withheld?: never;
} | {
  withheld?: never;
});

export interface OwnJobs {
  jobs: Job[];
  /** `null` on the last page. */
  next: string | null;
}

/** A job, all of it. Other members are ignored. */
export interface NewJob {
  /** `null` where it waits for one. */
  driver: string | null;
  customers: string[];
  dispatchId?: string | null;
  endsAt?: string | number | null;
  /** What keeps customers from seeing the driver. */
  gate?: {
    /** At least one of both: `within` needs a `place`. */
    customer: {
      from?: string | number | null;
      /** Metres from `place`. */
      within?: number | null;
    };
  } | null;
  place?: {
    /** North, −90 to 90. */
    lat: number;
    /** East, −180 to 180. */
    lng: number;
  } | null;
  startsAt?: string | number | null;
}

/** A position as it was measured, without when. */
export type Measured = Pick<TrailFix, "lat" | "lng" | "speed" | "heading" | "accuracy" | "altitude" | "clock">;

/** A fix as this package posts it: of the ways in which the service takes a time, one. */
export interface PostedFix extends Fix {
  id?: string;
  /** Unix milliseconds, the phone's clock. */
  capturedAt: number;
}
