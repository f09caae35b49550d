"use client";

// The board: open jobs in a list and on a map, who is on duty, and what has gone wrong.

import type { OpenJob } from "@towline/client";
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { VehicleMap } from "@/map/map";
import type { Drawing, Vehicle } from "@/map/types";
import { useNames } from "@/ui/names";
import { useMounted } from "@/ui/time";
import { AlarmList } from "./alarm-list";
import styles from "./board.module.css";
import { DutySwitch, OnDuty } from "./duty";
import { JobFilter } from "./job-filter";
import { JobList } from "./job-list";
import { answerable, type Filter, FILTERS, found, type Row, rowsOf } from "./rows";
import { Ticker } from "./ticking";
import { useInView } from "./use-in-view";
import { useOpenJobs } from "./use-open-jobs";
import { vehiclesOf } from "./vehicles";

/** Of so many jobs at most positions come at once. */
const WATCHED = 200;

/** Where the list of more jobs is not in view, as on a phone whose map is looked at, positions come for so many that stand first. */
const FIRST = 20;

/** How long the map waits for what is known of the other jobs, once it is of one. */
const OTHERS_MS = 2_000;

export interface BoardProps {
  /** The open jobs, as the server has listed them. */
  rendered: readonly OpenJob[];
  /** Whether these are all. */
  isWhole: boolean;
  /** The server's clock. */
  now: number;
  /** What is looked for at first. */
  text: string;
  filter: Filter;
  /** What makes a new job. */
  children: ReactNode;
}

const NONE: readonly string[] = [];
const NO_VEHICLES: readonly Vehicle[] = [];

export function Board({ rendered, isWhole: isRenderedWhole, now, text: firstText, filter: firstFilter, children }: BoardProps) {
  const nameOf = useNames();
  const [text, setText] = useState(firstText);
  const [filter, setFilter] = useState(firstFilter);
  const [selected, setSelected] = useState<string>();
  const [inView, setInView] = useState<readonly string[] | undefined>(rendered.length > WATCHED ? NONE : undefined);
  const list = useRef<HTMLUListElement>(null);
  const map = useRef<HTMLElement>(null);

  const { status, jobs, isWhole, views } = useOpenJobs(rendered, isRenderedWhole, inView);
  const all = jobs ?? [];
  const isOnDemand = all.length > WATCHED;
  // Positions come by scripts.
  const hasScripts = useMounted();
  const hasViews = hasScripts && !isOnDemand;
  const asked = answerable(filter, hasViews);

  // Each row is the object that it was, unless it says something else: so only those are rendered again.
  const [kept, keep] = useState<readonly Row[]>([]);
  const rows = rowsOf(kept, all, views, !isOnDemand);
  if (rows !== kept) keep(rows);
  const shown = useMemo(() => found(rows, text, asked, nameOf), [rows, text, asked, nameOf]);

  // Past 200 those that the list shows; of fewer that are looked for, all of them.
  const isLong = shown.length > WATCHED;
  const seen = useInView(list, isOnDemand && isLong ? shown : undefined);
  const isOutOfView = isLong && seen?.length === 0;
  useEffect(() => {
    // One without a driver has no position.
    const of = isOutOfView ? shown.filter(({ driver }) => driver !== null).slice(0, FIRST) : shown;
    const wanted = isLong && !isOutOfView ? (seen ?? NONE) : of.map(({ jobId }) => jobId).sort();
    const ids = selected === undefined || wanted.includes(selected) ? wanted : [selected, ...wanted];
    setInView(isOnDemand ? ids.slice(0, WATCHED) : undefined);
  }, [isOnDemand, isLong, isOutOfView, shown, seen, selected]);

  const vehicles = useMemo(() => vehiclesOf(shown, views, nameOf), [shown, views, nameOf]);
  // The map fits what it is given first: all of it, and not the one that was answered first; but one that is not answered keeps nothing back.
  const [isReady, setReady] = useState(false);
  const answered = isReady ? 0 : [...views.values()].filter(({ status }) => status !== "waiting").length;
  if (answered > 0 && answered === views.size) setReady(true);
  const isBegun = answered > 0;
  useEffect(() => {
    if (!isBegun) return;
    const timer = setTimeout(() => setReady(true), OTHERS_MS);
    return () => clearTimeout(timer);
  }, [isBegun]);

  const [drawing, setDrawing] = useState<Drawing>();
  const onRow = useCallback(
    (jobId: string) => {
      setSelected(jobId);
      if (!drawing?.focus(jobId)) return;
      // On a phone the list stands below it.
      map.current?.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
    },
    [drawing],
  );
  const onMarker = useCallback((jobId: string) => {
    setSelected(jobId);
    list.current?.querySelector(`[data-row="${CSS.escape(jobId)}"]`)?.scrollIntoView({ block: "nearest" });
  }, []);

  if (status === "refused") return <p className="notice">The board is for dispatchers only.</p>;
  const placed = vehicles.filter(({ position }) => position !== undefined).length;
  return (
    <Ticker rendered={now} views={views}>
      <a className={`button ${styles.skip}`} href="#jobs">
        To the list of jobs
      </a>
      <div className={styles.board}>
        <div className={styles.tools}>
          <DutySwitch />
          {children}
        </div>
        <div className={styles.alarms}>
          <AlarmList rows={jobs && rows} isListed={status === "ok"} isKnown={isWhole && status !== "offline"} />
        </div>
        <section className={styles.map} aria-labelledby="map" ref={map}>
          <h2 id="map" className="sr-only">
            Map
          </h2>
          <VehicleMap
            vehicles={isReady ? vehicles : NO_VEHICLES}
            selected={selected}
            fitsEach={isOnDemand}
            onSelect={onMarker}
            onDrawing={setDrawing}
            without="Each job’s page says where its vehicle is."
            className={styles.canvas}
          />
          <div className={styles.caption}>
            {views.size > 0 && `Positions of ${placed} of ${all.length} jobs${isOnDemand ? `: ${isOutOfView ? "the first in the list" : "those in the list’s view"}` : ""}.`}
            {drawing && (
              <button type="button" className="quiet" onClick={drawing.fit}>
                Show all
              </button>
            )}
          </div>
        </section>
        <section className={`card ${styles.jobs}`} aria-labelledby="jobs">
          <JobFilter count={shown.length} all={isWhole ? all.length : undefined} hasViews={hasViews} text={text} filter={filter} onText={setText} onFilter={setFilter} />
          {asked !== filter && <Unanswered filter={filter} hasScripts={hasScripts} />}
          <p className="notice" role="status">
            {jobs && (!isWhole || status === "offline") && `Towline does not answer: this may ${isWhole ? "be out of date" : "not be all"}.`}
          </p>
          {jobs === undefined && <p className={styles.empty}>Loading …</p>}
          {jobs?.length === 0 && <p className={styles.empty}>{isWhole ? "There are no open jobs. A new one is made above." : "Which jobs are open is not known just now."}</p>}
          {all.length > 0 && shown.length === 0 && <p className={styles.empty}>{FILTERS[asked].needsViews && !isReady ? "Loading …" : "No job is like that."}</p>}
          <JobList ref={list} rows={shown} selected={selected} onSelect={onRow} />
        </section>
        <div className={styles.duty}>
          <OnDuty rows={rows} />
        </div>
      </div>
    </Ticker>
  );
}

/** Why a filter that was asked for shows all jobs. */
function Unanswered({ filter, hasScripts }: { filter: Filter; hasScripts: boolean }) {
  const { label } = FILTERS[filter];
  if (hasScripts) return <p className="notice">With more than {WATCHED} jobs they cannot be filtered by “{label}”, so all are shown.</p>;
  return (
    <noscript>
      <p className="notice">Without scripts jobs cannot be filtered by “{label}”, so all are shown.</p>
    </noscript>
  );
}
