import type { Board, OpenJob } from "@towline/client";
import { useBoard, useTowline } from "@towline/client/react";
import { useEffect, useState } from "react";
import { flushSync } from "react-dom";

/**
 * The board, beginning with the jobs that the server has listed. Whichever list came last counts: the client's, each 5 s, or the server's,
 * after a job was made here. `jobs` is undefined while nothing may be shown.
 */
export function useOpenJobs(rendered: readonly OpenJob[], inView: readonly string[] | undefined): Omit<Board, "jobs"> & { jobs: readonly OpenJob[] | undefined } {
  const towline = useTowline();
  const board = useBoard({ inView });
  const [told, tell] = useState<{ rendered: readonly OpenJob[]; listed: readonly OpenJob[]; jobs: readonly OpenJob[] | undefined }>({
    rendered,
    listed: board.jobs,
    jobs: rendered,
  });
  let now = told;
  if (rendered !== told.rendered) now = { ...told, rendered, jobs: rendered };
  // Where the list cannot be asked for, what there was stays.
  if (board.jobs !== told.listed && board.status !== "offline") now = { ...now, listed: board.jobs, jobs: board.status === "waiting" ? undefined : board.jobs };
  if (now !== told) tell(now);

  // What the server has listed is no one else's either: the client erases its own.
  useEffect(() => {
    const erase = () => flushSync(() => tell((last) => ({ ...last, jobs: undefined })));
    return towline?.live({ erase, stop: erase });
  }, [towline]);

  return { ...board, jobs: now.jobs };
}
