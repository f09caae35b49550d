// The device's receiver, as the driver's page tells of it: positions pass through here on their way to the queue.

import type { Store } from "@towline/client";
import type { GeolocationLike } from "@towline/client/driver";

/** Why there can be no position, whatever the driver allows. */
export type Missing = "insecure" | "unsupported" | "forbidden";

export interface Reception {
  readonly missing: Missing | undefined;
  /** Since when a position is wanted, and when the last one came. Unix milliseconds by the device's clock. */
  readonly since: number | undefined;
  readonly at: number | undefined;
  /** How far off the last one may be, in metres. */
  readonly accuracy: number | undefined;
}

export interface Receiver extends Store<Reception> {
  /** For `createDriver`. */
  readonly geolocation: GeolocationLike;
  /** A position is wanted from now on; of earlier ones nothing is told. */
  begin(): void;
}

declare global {
  interface Document {
    /** What the page's `Permissions-Policy` leaves it; Chromium alone says so. */
    featurePolicy?: { allowsFeature(name: string): boolean };
  }
}

export const NO_RECEPTION: Reception = { missing: undefined, since: undefined, at: undefined, accuracy: undefined };

function missing(): Missing | undefined {
  if (!window.isSecureContext) return "insecure";
  if (!("geolocation" in navigator)) return "unsupported";
  return document.featurePolicy?.allowsFeature("geolocation") === false ? "forbidden" : undefined;
}

export function createReceiver(): Receiver {
  const listeners = new Set<() => void>();
  let now: Reception = { ...NO_RECEPTION, missing: missing() };
  const become = (change: Partial<Reception>) => {
    now = { ...now, ...change };
    for (const changed of [...listeners]) changed();
  };
  return {
    get: () => now,
    subscribe(changed) {
      listeners.add(changed);
      return () => void listeners.delete(changed);
    },
    begin: () => become({ since: Date.now(), at: undefined, accuracy: undefined }),
    geolocation: {
      watchPosition(success, error, options) {
        if (now.missing) return 0;
        const taken: PositionCallback = (position) => {
          become({ at: Date.now(), accuracy: position.coords.accuracy });
          success(position);
        };
        return navigator.geolocation.watchPosition(taken, error, options);
      },
      clearWatch(id) {
        if (!now.missing) navigator.geolocation.clearWatch(id);
      },
    },
  };
}
