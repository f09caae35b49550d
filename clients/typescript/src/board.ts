// The open jobs, and what is known of those in view.

import type { Core, Store } from "./client/types.ts";
import { whileHeard } from "./heard.ts";
import type { JobSnapshot } from "./view/types.ts";
import type { OpenJob } from "./wire.ts";

/** How often a board is told anew, at most, where jobs in view have changed; and one of over 100 jobs, which costs more. */
const GATHER_MS = 250;
const MANY_MS = 500;

/** How many jobs are in view at most: Ably lets a connection have so many channels. */
const IN_VIEW = 200;

export interface Listing {
  /** In the order of their ids. */
  readonly jobs: readonly OpenJob[];
  /** `offline`: the list may be old, and is asked for again. `refused`: it is none of this user's; a driver or customer has none. */
  readonly status: "waiting" | "ok" | "offline" | "refused";
}

export interface Board extends Listing {
  /** Of each job in view what `useJob` would say of it. */
  readonly views: ReadonlyMap<string, JobSnapshot>;
}

export interface BoardOptions {
  /** The jobs of one dispatch only. */
  dispatchId?: string | undefined;
  /** The ids of the jobs that are looked at, 200 at most; those that are not in the list are left out. Left out: the first 200 of the list. */
  inView?: readonly string[] | undefined;
}

const WAITING: Listing = { jobs: [], status: "waiting" };

export const NO_BOARD: Board = { ...WAITING, views: new Map() };

/** The list of open jobs, every 5 s while the page is seen. */
const listing = (core: Core, dispatchId: string | undefined): Store<Listing> =>
  core.one(`jobs ${dispatchId ?? ""}`, () => whileHeard(core, () => WAITING, ({ listJobs }, set) => listJobs(core, dispatchId, set)));

/**
 * The open jobs of a dispatcher, and each in view watched; `jobOf` is what is known of one. Another choice of jobs is another board: what
 * both have in view stays as it is, where the second is listened to within a second.
 */
export function board(core: Core, jobOf: (jobId: string) => Store<JobSnapshot>, { dispatchId, inView }: BoardOptions = {}): Store<Board> {
  const list = listing(core, dispatchId);
  let told: Board | undefined;
  const jobIds = () => {
    const ids = list.get().jobs.map(({ jobId }) => jobId);
    const listed = new Set(ids);
    return (inView?.filter((id) => listed.has(id)) ?? ids).slice(0, IN_VIEW);
  };
  const get = () => (told ??= { ...list.get(), views: new Map(jobIds().map((id) => [id, jobOf(id).get()])) });
  return {
    get,
    subscribe(changed) {
      const watched = new Map<string, () => void>();
      let gather: (() => void) | undefined;
      const tell = () => {
        gather?.();
        gather = told = undefined;
        changed();
      };
      const soon = () => {
        gather ??= core.clock.after(watched.size > 100 ? MANY_MS : GATHER_MS, tell);
      };
      const follow = () => {
        // Erased: who has it still asks by themselves whether it may be shown, and once the list is there it is known who stays.
        if (list.get().status === "waiting") return;
        const ids = new Set(jobIds());
        for (const [id, leave] of watched) {
          if (ids.has(id)) continue;
          leave();
          watched.delete(id);
        }
        for (const id of ids) if (!watched.has(id)) watched.set(id, jobOf(id).subscribe(soon));
      };
      const leave = list.subscribe(() => {
        follow();
        tell();
      });
      follow();
      told = undefined;
      return () => {
        leave();
        gather?.();
        for (const letGo of watched.values()) letGo();
        told = undefined;
      };
    },
  };
}
