// What is shown of what is known.

import { STALE_AFTER_MS } from "./initial.ts";
import type { State } from "./reduce.ts";
import { NOTHING } from "./state.ts";
import { serviceNow } from "./time.ts";
import type { JobSnapshot, Status } from "./types.ts";

/** What is shown of a job at `now`, by the clock. */
export function show(state: State, now: number, staleAfterMs = STALE_AFTER_MS): JobSnapshot {
  const { jobId, hidden, gate, opensAt, reason, again, up } = state;
  // What has come before it may be shown waits.
  const known = hidden ? NOTHING : state;
  const { marker: position, silentSince, lastHeard, arrivedAt, update } = known;
  // What a phone said of itself is over with its next fix.
  const { heartbeat, fixMissingSince } = known.fixAt <= known.vitals ? known : NOTHING;
  const status: Status =
    hidden ??
    (!up
      ? "offline"
      : !position
        ? again
          ? "reassigned"
          : "none"
        : silentSince !== undefined
          ? "silent"
          : now >= staleAt(state, staleAfterMs)!
            ? "stale"
            : "live");
  return {
    jobId,
    status,
    position,
    ageMs: position && Math.max(0, serviceNow(state.time, now) - position.capturedAt),
    at: now,
    epoch: hidden ? undefined : state.epoch,
    silentSince,
    heartbeat,
    fixMissingSince,
    lastHeard,
    gate,
    opensAt,
    reason,
    arrivedAt,
    update,
  };
}

/** When what is shown changes by time alone (the clock's `now`); undefined where it does not. */
export function staleAt(state: State, staleAfterMs = STALE_AFTER_MS): number | undefined {
  const { hidden, marker, up, silentSince, time } = state;
  if (hidden !== undefined || marker === undefined || !up || silentSince !== undefined) return undefined;
  return marker.capturedAt + staleAfterMs - serviceNow(time, 0);
}
