"use client";

import { useConnection, useOnDuty, useTowline } from "@towline/client/react";
import { memo, useEffect, useState } from "react";
import { useNames } from "@/ui/names";
import { span } from "@/ui/status";
import { useMounted } from "@/ui/time";
import { deskOf, goOnBoardDuty, keepOnDesk } from "./desk";
import styles from "./duty.module.css";
import type { Row } from "./rows";
import { Ticking, type Times } from "./ticking";
import { jobName } from "@/ui/job-name";
import { ago } from "./words";

/** Whether whoever looks is on duty: from when they come to the board, as long as it or a job of it is open in this tab, unless they have said otherwise. */
export function DutySwitch() {
  const towline = useTowline();
  // What they have said in this tab the server does not know.
  const isMounted = useMounted();
  const [said, say] = useState<boolean>();
  const isOn = said ?? (isMounted ? (deskOf(towline).isOnDuty ?? true) : undefined);
  useEffect(() => {
    if (isOn === undefined) return;
    keepOnDesk(towline, { isOnDuty: isOn });
    return towline && isOn ? goOnBoardDuty(towline) : undefined;
  }, [towline, isOn]);
  return (
    <button type="button" role="switch" aria-checked={isOn ?? true} className={styles.switch} onClick={() => say(!isOn)}>
      <span className={styles.track} aria-hidden="true" />
      On duty
    </button>
  );
}

/** When a driver was heard of last, by what is known of their jobs; of others, since when they are there. */
const heard = (jobs: readonly Row[], since: number) =>
  ({ now, view }: Times) => {
    const last = Math.max(...jobs.map(({ jobId }) => view(jobId)?.lastHeard ?? 0));
    return last > 0 ? `heard of ${ago(now - last)}` : `since ${span(now - since)}`;
  };

export const OnDuty = memo(function OnDuty({ rows }: { rows: readonly Row[] }) {
  const people = useOnDuty();
  const { state } = useConnection();
  const nameOf = useNames();
  return (
    <section className={`card ${styles.people}`} aria-labelledby="duty" tabIndex={0}>
      <h2 id="duty">On duty</h2>
      {people.length === 0 && <p className="muted">{state === "connected" ? "Nobody." : "Not known just now."}</p>}
      <ul>
        {people.map(({ userId, role, duty, since }) => {
          const jobs = rows.filter(({ driver }) => driver === userId);
          return (
            <li key={userId}>
              <strong>{nameOf(userId)}</strong>
              <span className={styles.since}>
                <Ticking tell={heard(jobs, since)} />
              </span>
              <span className={styles.what}>
                {role}, {jobs.length > 0 ? jobs.map(({ jobId }) => jobName(jobId)).join(", ") : duty}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
});
