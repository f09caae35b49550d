"use client";

import { type Job, type OwnJobs, watchNotifications } from "@towline/client";
import { useTowline } from "@towline/client/react";
import { useCallback, useEffect, useRef, useState } from "react";

/** How often the driver's jobs are asked for while the page is seen. A notification asks at once; one may be lost. */
const EVERY_MS = 20_000;
/** And where there was no answer. */
const AGAIN_MS = 5_000;

/**
 * The driver's own open jobs; undefined as long as nobody knows. They are asked for, and listened for, while `active`; `isAsked` once
 * there was an answer since.
 * @param initial those that the page was rendered with
 */
export function useJobs(initial: readonly Job[] | undefined, active: boolean) {
  const towline = useTowline();
  const [jobs, setJobs] = useState(initial);
  const [isAsked, setAsked] = useState(false);
  /** Which answer counts: one to a question of before may still be on its way. */
  const turn = useRef(0);

  /** Whether there was an answer, or another question has taken its place. */
  const ask = useCallback(async (): Promise<boolean> => {
    if (towline === undefined) return false;
    const mine = ++turn.current;
    const all: Job[] = [];
    for (let next: string | null = ""; next !== null; ) {
      const answer: Awaited<ReturnType<typeof towline.http<OwnJobs>>> = await towline.http<OwnJobs>({ path: `/api/jobs?mine${next && `&after=${next}`}` });
      if (mine !== turn.current) return true;
      if (answer.is !== "ok") return false;
      all.push(...answer.body.jobs);
      next = answer.body.next;
    }
    setJobs(all);
    setAsked(true);
    return true;
  }, [towline]);

  useEffect(() => {
    if (!active || towline === undefined) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const look = async () => {
      clearTimeout(timer);
      const isKnown = document.visibilityState !== "visible" || (await ask());
      clearTimeout(timer);
      if (!isOver) timer = setTimeout(look, isKnown ? EVERY_MS : AGAIN_MS);
    };
    void look();
    const leave = watchNotifications(towline).subscribe(look);
    document.addEventListener("visibilitychange", look);
    return () => {
      isOver = true;
      turn.current += 1;
      setAsked(false);
      leave();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [active, ask, towline]);

  /** A job is not theirs any more. Whatever is asked already may not know. */
  const drop = useCallback(
    (jobId: string) => {
      setJobs((known) => known?.filter((job) => job.jobId !== jobId));
      void ask();
    },
    [ask],
  );
  return { jobs, isAsked, drop };
}
