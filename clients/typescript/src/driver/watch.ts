// The phone's position as long as it is wanted, whatever goes wrong meanwhile.

import type { Clock } from "../client/types.ts";
import type { PhonePosition } from "./sampling.ts";

/** The part of `navigator.geolocation` that is used. */
export interface GeolocationLike {
  watchPosition(success: (position: PhonePosition) => void, error: (error: { code: number }) => void, options: PositionOptions): number;
  clearWatch(id: number): void;
}

/** The part of `navigator.permissions` that is used. */
export interface PermissionsLike {
  query(what: { name: "geolocation" }): Promise<{ state: string; addEventListener(name: "change", changed: () => void): void }>;
}

/** Whether the page may know where the device is; `unknown` until there is a first position, where the browser does not say. */
export type Permission = "unknown" | "prompt" | "granted" | "denied";

/** After so long without a position the browser is asked anew: some forget a watch, after a call or when they were in a pocket. */
const REARM_MS = 15_000;
/** `PERMISSION_DENIED`. */
const DENIED = 1;

export interface Watch {
  start(): void;
  stop(): void;
  /** To be called now and then: arms it again where nothing has come for too long. */
  check(): void;
  /** The page is seen again: whatever has become of the watch meanwhile, this is a new one. */
  rearm(): void;
}

export function createWatch(
  { clock, geolocation, permissions }: { clock: Clock; geolocation: GeolocationLike | null | undefined; permissions: PermissionsLike | null | undefined },
  take: (position: PhonePosition) => void,
  told: (permission: Permission) => void,
): Watch {
  let id: number | undefined;
  /** Which watch counts; a call of an earlier one may still be on its way. */
  let current = 0;
  let wanted = false;
  let denied = false;
  let asked = false;
  /** When it was armed, or a position has come. */
  let since = 0;

  function disarm() {
    current += 1;
    if (id !== undefined) geolocation?.clearWatch(id);
    id = undefined;
  }

  function arm() {
    disarm();
    if (!wanted) return;
    const own = current;
    since = clock.now();
    id = geolocation?.watchPosition(
      (position) => {
        if (own !== current) return;
        since = clock.now();
        denied = false;
        told("granted");
        take(position);
      },
      // Whatever else there is passes, and is no reason to end it: nothing is found yet, or was not in time.
      ({ code }) => {
        if (own !== current || code !== DENIED) return;
        denied = true;
        told("denied");
      },
      { enableHighAccuracy: true, maximumAge: 0 },
    );
  }

  /** Hears of a permission that is given, or taken, while the page is open. */
  async function ask(): Promise<void> {
    if (asked) return;
    asked = true;
    // Some browsers do not know this permission.
    const status = await Promise.resolve(permissions?.query({ name: "geolocation" })).catch(() => undefined);
    if (status === undefined) return;
    const changed = () => {
      const state = status.state as Permission;
      told(state);
      if (denied && state !== "denied") arm();
      denied = state === "denied";
    };
    status.addEventListener("change", changed);
    changed();
  }

  return {
    start() {
      wanted = true;
      void ask();
      arm();
    },
    stop() {
      wanted = false;
      disarm();
    },
    check() {
      // Where the answer was no, asking again might ask the driver again, every few seconds.
      if (wanted && !denied && clock.now() - since >= REARM_MS) arm();
    },
    rearm: arm,
  };
}
