// What is known of a job, what changes it, and what is shown of it.

import type { FirstState, Measured, PhoneState, Place, TrailPage } from "../wire.ts";

/** What a page has to tell apart. */
export type Status =
  /** Not asked yet, or asked and not answered. */
  | "waiting"
  /** No fix yet. */
  | "none"
  /** A gate holds the viewer back. */
  | "withheld"
  /** The position is of now. */
  | "live"
  /** The last position is older than `staleAfterMs`. */
  | "stale"
  /** The driver's phone is not heard of. */
  | "silent"
  /** A new epoch, and no fix of it yet. */
  | "reassigned"
  /** This device is cut off; the driver may be as well as ever. */
  | "offline"
  /** The job has ended. */
  | "ended"
  /** The viewer does not take part, or not any more. */
  | "not_yours";

/** Where the vehicle is. */
export interface Position extends Measured, Place {
  /** When it was measured, Unix milliseconds by the service's clock. */
  capturedAt: number;
}

/** A point of a trail. */
export interface TrailPoint {
  seq: number;
  /** When it was measured, Unix milliseconds by the service's clock. */
  capturedAt: number;
  lat: number;
  lng: number;
}

/** What is shown of a job: a value that does not change; another one when something has. */
export interface JobSnapshot {
  readonly jobId: string;
  readonly status: Status;
  /** Erased where the status is `withheld`, `reassigned`, `ended`, `not_yours`, and until the page has asked. */
  readonly position: Position | undefined;
  /** How old the position was when this was made, by the service's clock; `ageMs(snapshot)` says it of now. */
  readonly ageMs: number | undefined;
  /** The clock's `now` when this was made. */
  readonly at: number;
  readonly epoch: number | undefined;
  readonly silentSince: number | undefined;
  readonly heartbeat: PhoneState | undefined;
  readonly fixMissingSince: number | undefined;
  readonly lastHeard: number | undefined;
  /** `withheld` only. */
  readonly gate: string | undefined;
  readonly opensAt: number | undefined;
  /** `ended` only: the reason, where it was told. */
  readonly reason: string | undefined;
  /**
   * When the vehicle has arrived at the place that the job has now, Unix milliseconds: when that was told, until it is known when it was
   * measured. Where the place is moved it goes with the first state, which is asked for then.
   */
  readonly arrivedAt: number | undefined;
  /** The last `job.updated`: whoever shows more of the job fetches it again. */
  readonly update: { readonly type: string; readonly version: number; readonly ts: number } | undefined;
}

/** What changes a view. `at` is the clock's `now`. */
export type Input =
  /**
   * The first state; `asked` is when the request was begun, so that what was refused or erased meanwhile stays so. A stream's comes with
   * `asked` = when it was opened, and what a server has rendered with −Infinity, as nobody knows.
   */
  | { is: "first"; state: FirstState; asked: number; at: number }
  /** A message of the channel, or an event of the stream, by its name. */
  | { is: "message"; name: string; data: unknown; at: number }
  /** A page of the trail that was asked for with `after`. */
  | { is: "trail"; after: Place; page: TrailPage; asked: number; at: number }
  /** Whether this device reaches the service. */
  | { is: "link"; up: boolean; at: number }
  /** Access has ended, or there was none; `asked` as with a first state: where a newer one lets the viewer look, it is of before. */
  | { is: "refused"; why: "ended" | "not_yours"; reason?: string | undefined; asked: number; at: number }
  /** A gate has opened: a first state follows. */
  | { is: "opened"; at: number }
  /** Forget what is shown, and show nothing until a first state that is asked for from now on. */
  | { is: "erase"; at: number }
  /** The whole trail of the epoch is wanted, from its first fix. */
  | { is: "want_trail"; at: number };

/** Brings a job's inputs, from a channel or from a stream, until it is stopped. `ask` asks for the first state, and again until it is answered. */
export type Feed = (jobId: string, give: (input: Input) => void) => { ask(): void; stop(): void };
