"use client";

import type { TrailFix, TrailPage } from "@towline/client";
import { useTowline } from "@towline/client/react";
import { useEffect, useState } from "react";

/** The trail of one assignment. */
export interface Assignment {
  epoch: number;
  driver: string | undefined;
  /** By time. */
  points: TrailFix[];
}

/** Where a page of the trail cannot be had it is asked for again after so many milliseconds, then after twice as many each time, up to a minute. */
const AGAIN_MS = 1_000;
const AGAIN_AT_MOST_MS = 60_000;

export interface Assignments {
  /** Undefined until there was an answer. */
  assignments: readonly Assignment[] | undefined;
  /** Whether the answer is not to be had just now; it is asked for again. */
  isFailing: boolean;
}

/**
 * The trails of the assignments before an epoch, each driver's own, as a dispatcher may read them; of all where none is said. They do not
 * change any more.
 */
export function useAssignments(jobId: string, before: number | null): Assignments {
  const towline = useTowline();
  const [assignments, setAssignments] = useState<readonly Assignment[]>();
  const [isFailing, setFailing] = useState(false);
  useEffect(() => {
    if (towline === undefined) return;
    let round = 0;
    const load = async () => {
      const mine = ++round;
      const all = new Map<number, Assignment>();
      // One fix tells whether there is anything.
      let wait = AGAIN_MS;
      for (let query = "limit=1"; query !== ""; ) {
        const answer = await towline.http<TrailPage>({ path: `/api/jobs/${jobId}/locations?${query}` });
        if (mine !== round) return;
        setFailing(answer.is === "again");
        if (answer.is === "again") {
          await new Promise<void>((go) => towline.clock.after(Math.max(wait, answer.afterMs ?? 0), go));
          if (mine !== round) return;
          wait = Math.min(wait * 2, AGAIN_AT_MOST_MS);
          continue;
        }
        if (answer.is !== "ok" || answer.body.withheld) return;
        wait = AGAIN_MS;
        const { locations, next } = answer.body;
        const earlier = locations.filter(({ epoch }) => before === null || epoch < before);
        for (const fix of earlier) {
          const there = all.get(fix.epoch);
          if (there) there.points.push(fix);
          else all.set(fix.epoch, { epoch: fix.epoch, driver: fix.driver, points: [fix] });
        }
        query = next !== null && earlier.length === locations.length ? `after=${next}` : "";
      }
      for (const { points } of all.values()) points.sort((a, b) => a.capturedAt - b.capturedAt);
      setAssignments([...all.values()]);
    };
    const erase = () => {
      round++;
      setAssignments(undefined);
      setFailing(false);
    };
    void load();
    const end = towline.live({ erase, stop: erase, refresh: () => void load() });
    return () => {
      round++;
      end();
    };
  }, [towline, jobId, before]);
  return { assignments, isFailing };
}
