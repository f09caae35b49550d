// What a driver's page is given, and what it is told.

import type { Store } from "../client/types.ts";
import type { PhonePosition } from "./sampling.ts";
import type { QueueStorage } from "./storage.ts";
import type { ChannelLike, LocksLike } from "./tabs.ts";
import type { GeolocationLike, Permission, PermissionsLike } from "./watch.ts";

/** What a driver's page has to know of its queue; a value that does not change, another one when something has. */
export interface DriverState {
  /** The job that was started last, and is not stopped. */
  readonly job: string | undefined;
  /** Whether positions are taken for it; while somebody signs out, they are not. */
  readonly sharing: boolean;
  /** How many fixes of this user wait to be sent, of all jobs and tabs. */
  readonly waiting: number;
  /** When the oldest of these was queued, Unix milliseconds by the device's clock. */
  readonly oldestAt: number | undefined;
  /** Whether what waits outlasts the page; not in a private window, or where the disk is full. */
  readonly durable: boolean;
  /** `backoff`: it tries again by itself. `held`: the service refuses what waits, until the session or the job changes. */
  readonly sending: "idle" | "sending" | "backoff" | "held";
  /** `held` only: the name of the service's problem, `not_a_participant` say. */
  readonly heldBy: string | undefined;
  /** Which tab sends for this user. */
  readonly sender: "this_tab" | "another_tab";
  readonly permission: Permission;
  /** When the device gave a position last, and when the service has taken fixes from this tab last. Unix milliseconds by the device's clock. */
  readonly lastFixAt: number | undefined;
  readonly lastSentAt: number | undefined;
  /**
   * Fixes that are not kept, since the page was opened, by the service's `reason`; also `too_old`, those of a job that the service refuses, after
   * 24 hours; and `queue_full`, the oldest of more than 50,000, which nobody has.
   */
  readonly rejected: Readonly<Record<string, number>>;
  /** Why the job that was started last takes no more fixes of this driver. Positions are not taken any more. */
  readonly ended: "reassigned" | "job_closed" | undefined;
}

export interface Driver {
  readonly state: Store<DriverState>;
  /**
   * Shares this device's position for a job from now on, and for no other. What waits of another job is still sent, as that job's.
   * Throws a `RangeError` where it is no job id.
   */
  start(jobId: string): void;
  /** Shares no more, and says so until the service has heard `off_duty`, and then nothing. What waits is still sent. */
  stop(): void;
  /** A position from somewhere else than `navigator.geolocation`: a native shell, React Native. It counts while the driver shares. */
  take(position: PhonePosition): void;
}

/** What a browser has by itself, to be replaced where there is none. `null`: there is none. */
export interface DriverOptions {
  /** Where entries wait; IndexedDB by itself. */
  storage?: QueueStorage;
  geolocation?: GeolocationLike | null;
  permissions?: PermissionsLike | null;
  locks?: LocksLike | null;
  /** Opens a channel to the other tabs. */
  channel?: ((name: string) => ChannelLike) | null;
  /** Asks that storage is not cleared while the disk is full. */
  persist?: (() => Promise<unknown>) | null;
  /** At least 0, below 1. */
  random?: () => number;
  /** A new name, of 1 to 64 printable ASCII characters. */
  newId?: () => string;
}
