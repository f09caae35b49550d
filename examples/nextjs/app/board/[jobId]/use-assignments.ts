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

/**
 * The trails of the assignments before an epoch, each driver's own, as a dispatcher may read them; of all where none is said. They do not
 * change any more. Undefined until there was an answer.
 */
export function useAssignments(jobId: string, before: number | null): readonly Assignment[] | undefined {
  const towline = useTowline();
  const [assignments, setAssignments] = useState<readonly Assignment[]>();
  useEffect(() => {
    if (towline === undefined) return;
    let round = 0;
    const load = async () => {
      const mine = ++round;
      const all = new Map<number, Assignment>();
      // One fix tells whether there is anything.
      for (let query = "limit=1"; query !== ""; ) {
        const answer = await towline.http<TrailPage>({ path: `/api/jobs/${jobId}/locations?${query}` });
        if (mine !== round || answer.is !== "ok" || answer.body.withheld) return;
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
    };
    void load();
    const end = towline.live({ erase, stop: erase, refresh: () => void load() });
    return () => {
      round++;
      end();
    };
  }, [towline, jobId, before]);
  return assignments;
}
