// What is shown of a first state that a server has rendered. The page has this at once, and all that watches only later.

import type { FirstState } from "../wire.ts";
import type { JobSnapshot, Position } from "./types.ts";

/** A position is of now for so many milliseconds, where nobody says otherwise. */
export const STALE_AFTER_MS = 30_000;

/** How long what a server has rendered waits for what asks whether it may still be shown. */
export const SEED_MS = 10_000;

/** How old the position of a snapshot is at `now` (the clock's), in milliseconds by the service's clock; never negative. */
export const ageMs = (snapshot: JobSnapshot, now: number): number | undefined =>
  snapshot.ageMs === undefined ? undefined : snapshot.ageMs + Math.max(0, now - snapshot.at);

const MEASURES = ["speed", "heading", "accuracy", "altitude", "clock"] as const;

/**
 * What a page shows of a first state that its server has asked for, on the server and while it is hydrated: no clock is read, and its age
 * is that of when it was asked for. Without one, and with another job's, it is `waiting`. The reducer would say the same.
 */
export function initialSnapshot(jobId: string, initial?: FirstState, staleAfterMs = STALE_AFTER_MS, at = 0): JobSnapshot {
  const known = initial?.jobId === jobId ? initial : undefined;
  const seen = known?.withheld ? undefined : known;
  const fix = seen && "lat" in seen ? seen : undefined;
  let position: Position | undefined;
  if (fix) {
    const { epoch, seq, lat, lng, capturedAt } = fix;
    position = { epoch, seq, lat, lng, capturedAt };
    for (const name of MEASURES) if (fix[name] !== undefined) Object.assign(position, { [name]: fix[name] });
  }
  const age = fix && Math.max(0, fix.now - fix.capturedAt);
  const silentSince = seen?.silentSince;
  const ofFix = silentSince !== undefined ? "silent" : age! >= staleAfterMs ? "stale" : "live";
  const status = !known ? "waiting" : !seen ? "withheld" : fix ? ofFix : "none";
  const lastHeard = Math.max(seen?.lastHeard ?? 0, fix?.ts ?? 0);
  return {
    jobId,
    status,
    position,
    ageMs: age,
    at,
    epoch: seen?.epoch ?? undefined,
    silentSince,
    heartbeat: seen?.heartbeat,
    fixMissingSince: seen?.fixMissingSince,
    lastHeard: lastHeard || undefined,
    gate: known?.withheld && known.gate,
    opensAt: known?.withheld && known.opensAt,
    reason: undefined,
    arrivedAt: seen?.arrivedAt,
    update: undefined,
  };
}
