"use client";

import { useNotifications, useTowline } from "@towline/client/react";
import Link from "next/link";
import { memo, type ReactNode, useEffect, useRef, useState } from "react";
import { useRefresh } from "@/live/use-refresh";
import { useNames } from "@/ui/names";
import styles from "./alarm-list.module.css";
import { type Alarm, type Alarms, alarmsAfter, dismiss, NO_ALARMS } from "./alarms";
import { deskOf, keepOnDesk } from "./desk";
import type { Row } from "./rows";
import { Ticking, useTicking } from "./ticking";
import { ago, ALARM_SIGN } from "./words";

/** More at once are told by their number. */
const TOLD = 3;

const told = (news: readonly Alarm[]) => (news.length > TOLD ? `${news.length} new alarms` : news.map(({ about, text }) => `${about}: ${text}`).join(". "));

/** How often it is looked whether a job should have begun by now. */
const LOOK_MS = 10_000;

interface AlarmListProps {
  rows: readonly Row[] | undefined;
  isListed: boolean;
  isKnown: boolean;
}

/**
 * @param rows undefined while nothing may be shown; what is known is kept
 * @param isListed whether the client has listed them. The server's list may come out of the router's history, and be older than what is on the desk
 * @param isKnown whether these are all, and not old: else it is not known that nothing is amiss
 */
export const AlarmList = memo(function AlarmList({ rows, isListed, isKnown }: AlarmListProps) {
  const towline = useTowline();
  const { items, missed } = useNotifications();
  const nameOf = useNames();
  const now = useTicking((times) => Math.floor(times.now / LOOK_MS) * LOOK_MS);
  // What is amiss already is there to be read, and is no news.
  const [kept, keep] = useState<Alarms>(() => ({ ...(deskOf(towline).alarms ?? alarmsAfter(NO_ALARMS, rows ?? [], items, now, nameOf)), news: [] }));
  const [isOfNow, setOfNow] = useState(() => deskOf(towline).alarms === undefined);
  if (isListed && !isOfNow) setOfNow(true);
  const alarms = rows && (isListed || isOfNow) ? alarmsAfter(kept, rows, items, now, nameOf) : kept;
  if (alarms !== kept) keep(alarms);
  useEffect(() => keepOnDesk(towline, { alarms }), [towline, alarms]);

  // What they would have told of is in the list of jobs, too.
  const refresh = useRefresh();
  const before = useRef(missed);
  useEffect(() => {
    if (missed > before.current && before.current > 0) void refresh();
    before.current = missed;
  }, [refresh, missed]);

  const title = useRef<HTMLHeadingElement>(null);
  const onDismiss = (key?: string) => {
    // The button goes, and whoever has pressed it goes on from here.
    title.current?.focus();
    keep(dismiss(alarms, key));
  };
  const shown = rows ? alarms.all.filter(({ isDismissed }) => !isDismissed) : [];
  return (
    <section className={`card ${styles.alarms}`} aria-labelledby="alarms" data-any={shown.length > 0}>
      <div className={styles.head}>
        <h2 id="alarms" ref={title} tabIndex={-1}>
          Alarms {shown.length > 0 && <span className={styles.count}>{shown.length}</span>}
        </h2>
        {shown.length > 1 && (
          <button type="button" className="quiet" onClick={() => onDismiss()}>
            Dismiss all
          </button>
        )}
      </div>
      <p role="status" className="sr-only">
        {rows && <span key={alarms.turn}>{told(alarms.news)}</span>}
      </p>
      {shown.length === 0 ? (
        <p className={styles.none}>{isKnown ? "None." : "Not known just now."}</p>
      ) : (
        <ul>
          {shown.map(({ key, kind, jobId, about, text, since }) => (
            <li key={key} data-kind={kind}>
              <span className={styles.sign} aria-hidden="true">
                {ALARM_SIGN[kind]}
              </span>
              <About jobId={jobId}>
                <strong>{about}</strong>
                {since !== undefined && (
                  <span className={styles.age}>
                    <Ticking tell={({ now }) => ago(now - since)} />
                  </span>
                )}
                <span className={styles.text}>{text}</span>
              </About>
              <button type="button" className="quiet" aria-label={`Dismiss: ${about}, ${text}`} onClick={() => onDismiss(key)}>
                <span aria-hidden="true">×</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
});

function About({ jobId, children }: { jobId: string | undefined; children: ReactNode }) {
  if (jobId === undefined) return <div className={styles.about}>{children}</div>;
  return (
    <Link className={styles.about} href={`/board/${encodeURIComponent(jobId)}`} prefetch={false}>
      {children}
    </Link>
  );
}
