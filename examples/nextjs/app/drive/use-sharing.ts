"use client";

import { goOnDuty, type Job, type Towline } from "@towline/client";
import { useTowline } from "@towline/client/react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useDuty } from "./use-duty";
import { useJobs } from "./use-jobs";
import { usePhone } from "./use-phone";
import type { GONE } from "./words";

/** A job that was shared for, and why it is not any more: undefined until that was asked. */
interface Gone {
  job: string;
  why: keyof typeof GONE | undefined;
}

/** A job that has ended is another thing than one that was taken away; the list of jobs tells neither. */
async function whyGone(towline: Towline, jobId: string): Promise<keyof typeof GONE> {
  const answer = await towline.http({ path: `/api/jobs/${jobId}` });
  if (answer.is !== "refused") return "not_listed";
  return answer.type === "job_closed" ? "job_closed" : "not_yours";
}

/** A job that is planned for later is not shared for by itself. */
const hasBegun = ({ startsAt = 0 }: Job) => startsAt <= Date.now();

/**
 * A driver on duty: which jobs there are, and which one this device shares its position for. One at a time; where there are several the driver
 * chooses, and a new one never takes the place of the one that is under way.
 */
export function useSharing(user: string, initial: readonly Job[] | undefined) {
  const towline = useTowline();
  const { phone, state, reception } = usePhone();
  const [duty, say] = useDuty(user);
  const isOn = duty.on;
  const job = isOn ? duty.job : undefined;
  const { jobs, isAsked, drop } = useJobs(initial, isOn);
  const [gone, setGone] = useState<Gone>();
  const news = useNews(jobs).filter((jobId) => jobId !== job);

  const choose = useCallback((jobId: string) => say({ on: true, job: jobId }), [say]);
  const leave = useCallback(
    (jobId: string, why: Gone["why"]) => {
      setGone({ job: jobId, why });
      say({ on: true });
      drop(jobId);
    },
    [drop, say],
  );
  const turn = (on: boolean) => {
    setGone(undefined);
    say({ on });
  };

  useEffect(() => {
    if (towline && isOn) return goOnDuty(towline, { role: "driver", duty: job ?? "free" });
  }, [towline, isOn, job]);

  useEffect(() => {
    if (phone === undefined || job === undefined) return;
    phone.receiver.begin();
    phone.driver.start(job);
    return () => phone.driver.stop();
  }, [phone, job]);

  const ended = state?.job === job ? state?.ended : undefined;
  const isNotListed = isAsked && !jobs?.some(({ jobId }) => jobId === job);
  useEffect(() => {
    if (job === undefined) return;
    if (ended) leave(job, ended);
    else if (isNotListed) leave(job, undefined);
  }, [job, ended, isNotListed, leave]);

  const unknown = gone && gone.why === undefined ? gone.job : undefined;
  useEffect(() => {
    if (towline === undefined || unknown === undefined) return;
    void whyGone(towline, unknown).then((why) => setGone((now) => (now?.job === unknown ? { job: unknown, why } : now)));
  }, [towline, unknown]);

  // By what there is now: what was known before this turn may be another's.
  useEffect(() => {
    const [only, another] = jobs?.filter(hasBegun) ?? [];
    if (isOn && isAsked && job === undefined && only && !another) choose(only.jobId);
  }, [isOn, isAsked, job, jobs, choose]);

  // One that they have been given back is not gone any more, whatever becomes of it then.
  if (gone && jobs?.some(({ jobId }) => jobId === gone.job)) setGone(undefined);
  return { isOn, job, jobs, isAsked, gone, news, choose, turn, state, reception };
}

/** The jobs that were not there at first. */
function useNews(jobs: readonly Job[] | undefined): string[] {
  const first = useRef<Set<string>>(undefined);
  const ids = jobs?.map(({ jobId }) => jobId);
  first.current ??= ids && new Set(ids);
  return ids?.filter((jobId) => !first.current?.has(jobId)) ?? [];
}
