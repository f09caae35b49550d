"use client";

// Texts that change as time goes by, all of a page by one timer.

import { type JobSnapshot, ageMs } from "@towline/client";
import { useTowline } from "@towline/client/react";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { eachSecond } from "@/ui/time";

export interface Times {
  /** The service's clock, Unix milliseconds. */
  now: number;
  /** What is known of a job whose positions are asked for. */
  view(jobId: string): JobSnapshot | undefined;
  /** How old its position is, in milliseconds. */
  age(jobId: string): number | undefined;
}

const Context = createContext<{ rendered: Times; read(): Times } | undefined>(undefined);

const nothing = () => undefined;

/**
 * Gives the time to what is below, by the service's clock. `rendered` is what the server's was when it rendered the page. What positions tell of
 * it counts where it is later: the page may be out of the history.
 */
export function Ticker({ rendered, views, children }: { rendered: number; views: ReadonlyMap<string, JobSnapshot>; children: ReactNode }) {
  const clock = useTowline()?.clock;
  const latest = useRef(views);
  /** How far the service's clock is ahead of the client's. */
  const ahead = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    latest.current = views;
    if (clock) ahead.current = Math.max(ahead.current, rendered - clock.now());
    for (const { position, ageMs: age, at } of views.values()) if (position && age) ahead.current = Math.max(ahead.current, position.capturedAt + age - at);
  }, [clock, rendered, views]);
  const value = useMemo(() => {
    const first: Times = { now: rendered, view: nothing, age: nothing };
    const read = (): Times => {
      if (clock === undefined || ahead.current === Number.NEGATIVE_INFINITY) return first;
      const here = clock.now();
      const view = (jobId: string) => latest.current.get(jobId);
      const age = (jobId: string) => {
        const snapshot = view(jobId);
        return snapshot && ageMs(snapshot, here);
      };
      return { now: here + ahead.current, view, age };
    };
    return { rendered: first, read };
  }, [clock, rendered]);
  return <Context value={value}>{children}</Context>;
}

/** What `tell` says, again each second; what it is rendered with changes only where that does. */
export function useTicking<T extends string | number>(tell: (times: Times) => T): T {
  const times = useContext(Context);
  if (times === undefined) throw new Error("there is no Ticker above");
  return useSyncExternalStore(eachSecond, () => tell(times.read()), () => tell(times.rendered));
}

export function Ticking({ tell }: { tell: (times: Times) => string }) {
  return useTicking(tell);
}
