// `@towline/client/driver`: a driver's page.

import type { Core } from "../client/types.ts";
import { makeDriver } from "./driver.ts";
import type { Driver, DriverOptions } from "./types.ts";

/**
 * The driver of a client. A tab has one, whose `options` are those that it was made with first. It begins
 * with its first `start`, or when its state is first subscribed to; then what earlier pages have left is sent, too.
 *
 * Each fix waits in a queue until the service has it, as its user's and for its job, whatever becomes of network, page and battery; and is
 * there once. A user's tabs share the queue, and the one that is looked at sends. Start sharing in one tab only.
 */
export function createDriver(towline: Core, options?: DriverOptions): Driver {
  return towline.one("driver", () => makeDriver(towline, options));
}

export { indexedDbStorage } from "./indexed-db.ts";
export type { PhonePosition } from "./sampling.ts";
export { type Entry, type Kept, memoryStorage, type QueueStorage } from "./storage.ts";
export type { ChannelLike, LocksLike } from "./tabs.ts";
export type { Driver, DriverOptions, DriverState } from "./types.ts";
export type { GeolocationLike, Permission, PermissionsLike } from "./watch.ts";
