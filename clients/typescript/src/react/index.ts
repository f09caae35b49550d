"use client";

// The hooks. On a server, and while its page is hydrated, each shows what it has without a client: a job's `initial`, or nothing yet.

import { createContext, createElement, type ReactNode, useContext, useMemo, useSyncExternalStore } from "react";
import { type Board, type BoardOptions, NO_BOARD } from "../board.ts";
import type { Towline } from "../client/index.ts";
import type { Connection, Store } from "../client/types.ts";
import { NOBODY, type OnDuty, onDuty } from "../duty.ts";
import { NO_NOTIFICATIONS, type Notifications, notifications } from "../notifications.ts";
import { ageMs, initialSnapshot } from "../view/initial.ts";
import type { JobSnapshot, TrailPoint } from "../view/types.ts";
import { type JobOptions, NO_TRAIL, watchBoard, watchJob, watchTrail } from "../watch.ts";

const Context = createContext<Towline | null | undefined>(undefined);

/** Gives the hooks below it the client. `null` where there is none yet: they show what they have without. */
export function TowlineProvider({ towline, children }: { towline: Towline | null; children?: ReactNode }) {
  return createElement(Context.Provider, { value: towline }, children);
}

/** The client; undefined on a server, and where the provider has none. */
export function useTowline(): Towline | undefined {
  const towline = useContext(Context);
  if (typeof window === "undefined") return undefined;
  if (towline === undefined) throw new Error("there is no TowlineProvider above");
  return towline ?? undefined;
}

const nothing = () => () => {};

/** What a store has; `without` on a server, while its page is hydrated, and where there is no store. */
function useStore<T>(store: Store<T> | undefined, without: T): T {
  const get = () => without;
  return useSyncExternalStore(store?.subscribe ?? nothing, store?.get ?? get, get);
}

/**
 * A job. With another `jobId` it shows nothing of the one before, not even once. Without one it is `waiting`, and nothing is watched.
 * `initial`: see `JobOptions`.
 */
export function useJob(jobId: string | null | undefined, { initial, staleAfterMs }: JobOptions = {}): JobSnapshot {
  const towline = useTowline();
  const without = useMemo(() => initialSnapshot(jobId ?? "", (jobId && initial) || undefined, staleAfterMs), [jobId, initial, staleAfterMs]);
  const store = useMemo(
    () => (towline && jobId ? watchJob(towline, jobId, { initial, staleAfterMs }) : undefined),
    [towline, jobId, initial, staleAfterMs],
  );
  return useStore(store, without);
}

/** A job's trail, by time: the newest 20,000 points of the present assignment. */
export function useTrail(jobId: string | null | undefined): readonly TrailPoint[] {
  const towline = useTowline();
  return useStore(towline && jobId ? watchTrail(towline, jobId) : undefined, NO_TRAIL);
}

/** The open jobs, for a dispatcher, and what is known of those in view. */
export function useBoard({ dispatchId, inView }: BoardOptions = {}): Board {
  const towline = useTowline();
  // Other jobs, not another array of the same ones, make another board. No id has a blank.
  const ids = inView?.join(" ");
  const store = useMemo(
    () => towline && watchBoard(towline, { dispatchId, inView: ids?.split(" ") }),
    [towline, dispatchId, ids],
  );
  return useStore(store, NO_BOARD);
}

/** Who is on duty, in the order of their ids. `channel`: `presence:dispatch`, or that of one dispatch, `presence:dispatch:{dispatchId}`. */
export function useOnDuty(channel?: string): readonly OnDuty[] {
  const towline = useTowline();
  return useStore(towline && onDuty(towline, channel), NOBODY);
}

/** The user's notifications, and a count that grows whenever some may have been missed: fetch what there is in an effect that depends on it. */
export function useNotifications(): Notifications {
  const towline = useTowline();
  return useStore(towline && notifications(towline), NO_NOTIFICATIONS);
}

const IDLE: Connection = { state: "idle" };

/** How the client reaches the service, and why it does not any more. */
export function useConnection(): Connection {
  return useStore(useTowline()?.connection, IDLE);
}

function everySecond(tick: () => void) {
  const timer = setInterval(tick, 1_000);
  return () => clearInterval(timer);
}

/** How old a snapshot's position is now, in whole seconds as milliseconds, by the service's clock; told anew each second. */
export function useAge(snapshot: JobSnapshot): number | undefined {
  const clock = useTowline()?.clock;
  const age = (now: number) => {
    const ms = ageMs(snapshot, now);
    return ms === undefined ? undefined : Math.floor(ms / 1_000) * 1_000;
  };
  return useSyncExternalStore(clock ? everySecond : nothing, () => age(clock ? clock.now() : snapshot.at), () => age(snapshot.at));
}
