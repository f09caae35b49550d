import type { Board, Listing, OpenJob } from "@towline/client";
import { useBoard, useTowline } from "@towline/client/react";
import { useEffect, useState } from "react";
import { flushSync } from "react-dom";

/** A list as the server has rendered it. */
export interface Rendered {
  jobs: readonly OpenJob[];
  /** Whether these are all. */
  isWhole: boolean;
}

/** The list that counts, and the last ones that it was told of. */
export interface Told {
  /** Undefined while nothing may be shown. */
  jobs: readonly OpenJob[] | undefined;
  isWhole: boolean;
  rendered: readonly OpenJob[];
  listed: readonly OpenJob[];
}

/** The list at first: the client's, where it has one from the page before, since the server's may come out of the router's history. */
export function listAtFirst({ jobs, isWhole }: Rendered, { jobs: listed, status }: Listing): Told {
  return status === "ok" ? { jobs: listed, isWhole: true, rendered: jobs, listed } : { jobs, isWhole, rendered: jobs, listed };
}

/** The list that counts after others have come: a part of one takes no whole one's place. The same object where none has. */
export function listAfter(told: Told, { jobs, isWhole }: Rendered, { jobs: listed, status }: Listing): Told {
  let now = told;
  if (jobs !== now.rendered) now = isWhole || !now.isWhole ? { ...now, jobs, isWhole, rendered: jobs } : { ...now, rendered: jobs };
  if (listed === now.listed || status === "offline") return now;
  return status === "waiting" ? { ...now, jobs: undefined, isWhole: false, listed } : { ...now, jobs: listed, isWhole: true, listed };
}

/**
 * The board, beginning with the jobs that the server has listed. Whichever list came last counts: the client's, each 5 s, or the server's,
 * after a job was made here. `jobs` is undefined while nothing may be shown.
 */
export function useOpenJobs(rendered: readonly OpenJob[], isWhole: boolean, inView: readonly string[] | undefined): Omit<Board, "jobs"> & Pick<Told, "jobs" | "isWhole"> {
  const towline = useTowline();
  const board = useBoard({ inView });
  const [told, tell] = useState(() => listAtFirst({ jobs: rendered, isWhole }, board));
  const now = listAfter(told, { jobs: rendered, isWhole }, board);
  if (now !== told) tell(now);

  // What the server has listed is no one else's either: the client erases its own.
  useEffect(() => {
    const erase = () => flushSync(() => tell((last) => ({ ...last, jobs: undefined, isWhole: false })));
    return towline?.live({ erase, stop: erase });
  }, [towline]);

  return { ...board, jobs: now.jobs, isWhole: now.isWhole };
}
