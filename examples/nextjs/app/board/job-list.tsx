"use client";

import Link from "next/link";
import { type KeyboardEvent, memo, type Ref } from "react";
import { useNames } from "@/ui/names";
import { span } from "@/ui/status";
import styles from "./job-list.module.css";
import type { Row } from "./rows";
import { Ticking, type Times } from "./ticking";
import { jobName } from "@/ui/job-name";
import { ago, driverName, PHONE, SIGN, WORD } from "./words";

/** Of more rows, those that are out of sight are left out of layout and paint. */
const LONG = 50;

/** Arrows lead from job to job; Tab, to what else is in a row. */
const TO: Record<string, (from: number, last: number) => number> = {
  ArrowDown: (from, last) => Math.min(from + 1, last),
  ArrowUp: (from) => Math.max(from - 1, 0),
  Home: () => 0,
  End: (_, last) => last,
};

function onKeyDown(event: KeyboardEvent<HTMLElement>) {
  const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-row] > button")];
  const from = buttons.indexOf(event.target as HTMLElement);
  const to = from < 0 ? undefined : TO[event.key]?.(from, buttons.length - 1);
  if (to === undefined) return;
  event.preventDefault();
  buttons[to]?.focus();
}

export interface JobListProps {
  rows: readonly Row[];
  selected: string | undefined;
  onSelect: (jobId: string) => void;
  ref: Ref<HTMLUListElement>;
}

export const JobList = memo(function JobList({ rows, selected, onSelect, ref }: JobListProps) {
  return (
    <ul className={styles.list} ref={ref} data-long={rows.length > LONG} onKeyDown={onKeyDown}>
      {rows.map((row) => (
        <JobRow key={row.jobId} row={row} isSelected={row.jobId === selected} onSelect={onSelect} />
      ))}
    </ul>
  );
});

const JobRow = memo(function JobRow({ row, isSelected, onSelect }: { row: Row; isSelected: boolean; onSelect: (jobId: string) => void }) {
  const nameOf = useNames();
  const { jobId, driver, state, silentSince } = row;
  return (
    <li className={styles.row} data-row={jobId} data-state={state} data-selected={isSelected}>
      <button type="button" aria-pressed={isSelected} onClick={() => onSelect(jobId)}>
        <span className={styles.sign} aria-hidden="true">
          {SIGN[state]}
        </span>
        <span className={styles.job}>{jobName(jobId)}</span>
        <span className={styles.age}>
          <Ticking tell={(times) => (silentSince !== undefined ? "" : ageOf(jobId, times))} />
        </span>
        <span className={styles.state}>
          {driver !== null && <span className={styles.driver}>{driverName(driver, nameOf)}, </span>}
          <strong>{WORD[state]}</strong>
        </span>
        <Amiss row={row} />
      </button>
      <Link href={`/board/${encodeURIComponent(jobId)}`} prefetch={false} aria-label={`Open ${jobName(jobId)}`}>
        <span aria-hidden="true">›</span>
      </Link>
    </li>
  );
});

function ageOf(jobId: string, { age, view }: Times): string {
  const ms = age(jobId);
  return ms === undefined ? "" : `${view(jobId)?.position?.clock === "ahead" ? "about " : ""}${ago(ms)}`;
}

function Amiss({ row: { silentSince, refusedSince, startsAt, driver, phone, state } }: { row: Row }) {
  const says: ((now: number) => string)[] = [];
  if (silentSince !== undefined) says.push((now) => `Heard of last ${ago(now - silentSince)}`);
  if (refusedSince !== undefined) says.push((now) => `All positions are refused for ${span(now - refusedSince)}`);
  if (driver === null && startsAt !== undefined) says.push((now) => (startsAt <= now ? `Has begun ${ago(now - startsAt)}` : `Begins in ${span(startsAt - now)}`));
  if (phone !== undefined && phone !== state) says.push(() => (phone === "parked" && silentSince !== undefined ? "It was parked" : PHONE[phone]));
  if (says.length === 0) return null;
  return (
    <span className={styles.amiss}>
      <Ticking tell={({ now }) => says.map((say) => say(now)).join(". ")} />
    </span>
  );
}
