// What there is to watch, for a page with or without React. All of a tab share it: the same job is asked for and listened to once.

import { type Board, type BoardOptions, board } from "./board.ts";
import { store } from "./client/store.ts";
import type { Core, Store } from "./client/types.ts";
import { live, onceLoaded } from "./loading.ts";
import { initialSnapshot, SEED_MS, STALE_AFTER_MS } from "./view/initial.ts";
import type { JobSnapshot, TrailPoint } from "./view/types.ts";
import type { FirstState } from "./wire.ts";

export interface JobOptions {
  /**
   * The first state that the page's server has asked for, `GET …/location`: it is shown at once, until there is a newer one, and for 10 s
   * at most until what asks for one is loaded. Once: out of a router's cache, or of the history, the same one is not shown again.
   */
  initial?: FirstState | null | undefined;
  /** The age in milliseconds from which a position is `stale`; 30,000 where it is left out. */
  staleAfterMs?: number | undefined;
}

/** A job, and how it is told what a server has rendered of it. */
function job(core: Core, jobId: string, staleAfterMs: number) {
  return core.one(`${jobId} ${staleAfterMs}`, () => {
    const loading = live(core);
    const nothing = initialSnapshot(jobId);
    const without = store(nothing);
    let rendered = -Infinity;
    /** What is shown until what watches is there, and what ends that. */
    let shown: FirstState | undefined;
    let cancel: (() => void)[] = [];
    const take = () => {
      for (const call of cancel) call();
      const taken = shown;
      shown = undefined;
      return taken;
    };
    const erase = () => {
      take();
      without.set(nothing);
    };
    return {
      store: onceLoaded(core, without, ({ jobOf }) => jobOf(core, jobId).stale(staleAfterMs)),
      seed(initial: FirstState) {
        if (initial.now <= rendered) return;
        rendered = initial.now;
        if (loading.there) return loading.there.jobOf(core, jobId).seed(initial);
        take();
        shown = initial;
        const { clock } = core;
        const snapshot = initialSnapshot(jobId, initial, staleAfterMs, clock.now());
        without.set(snapshot);
        cancel = [core.live({ erase, stop: erase }), clock.after(SEED_MS, erase)];
        if (snapshot.status === "live") cancel.push(clock.after(staleAfterMs - snapshot.ageMs!, () => without.set({ ...snapshot, status: "stale" })));
        void loading.load().then(({ jobOf }) => {
          const seeds = take();
          if (seeds) jobOf(core, jobId).seed(seeds);
        });
      },
    };
  });
}

/**
 * A job, watched as long as somebody has subscribed, and a second longer. `jobId`: the service's; `toJobId` makes one of any string.
 * With `initial` for browsers only.
 */
export function watchJob(core: Core, jobId: string, { initial, staleAfterMs = STALE_AFTER_MS }: JobOptions = {}): Store<JobSnapshot> {
  const { store, seed } = job(core, jobId, staleAfterMs);
  if (initial) seed(initial);
  return store;
}

export const NO_TRAIL: readonly TrailPoint[] = [];

/** The trail of the job's present assignment, by time; the newest 20,000 points. It is fetched once somebody has subscribed. */
export const watchTrail = (core: Core, jobId: string): Store<readonly TrailPoint[]> =>
  core.one(`trail ${jobId}`, () => onceLoaded(core, store(NO_TRAIL), ({ jobOf }) => jobOf(core, jobId).trail));

/**
 * The open jobs, for a dispatcher, and what is known of those in view. Each call makes a board; what they watch is shared, so to look at
 * other jobs subscribe to another board, then leave this one.
 */
export const watchBoard = (core: Core, options?: BoardOptions): Store<Board> => board(core, (jobId) => watchJob(core, jobId), options);
