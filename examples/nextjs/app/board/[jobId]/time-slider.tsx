"use client";

import type { TrailPoint } from "@towline/client";
import { useId } from "react";
import styles from "./job.module.css";
import type { WhereAt } from "./where-at";
import { degrees, pace } from "./words";

interface TimeSliderProps {
  /** By time; undefined as long as nobody knows whether there are any. */
  points: readonly TrailPoint[] | undefined;
  /** The time that is looked at, Unix milliseconds; undefined at the right end, where it goes on with the points. */
  time: number | undefined;
  at: WhereAt | undefined;
  /** What the right end is called. */
  end: string;
  onChange: (time: number | undefined) => void;
}

/** A key moves by one of these, in milliseconds, so that no trail takes more than some 300 of them. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600].map((seconds) => seconds * 1_000);

export function TimeSlider({ points, time, at, end, onChange }: TimeSliderProps) {
  const id = useId();
  if (points === undefined) return null;
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.capturedAt === first.capturedAt) return <p className="muted">No trail to look back at.</p>;

  const length = last.capturedAt - first.capturedAt;
  const step = STEPS.find((step) => length / step <= 300) ?? 86_400_000;
  const max = Math.ceil(length / step) * step;
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", ...(length > 12 * 3_600_000 && { dateStyle: "short" }) });
  return (
    <div className={styles.slider}>
      <label htmlFor={id}>Look back</label>
      <input
        id={id}
        type="range"
        min={0}
        max={max}
        step={step}
        value={time === undefined ? max : time - first.capturedAt}
        aria-valuetext={time === undefined ? end : words()}
        onChange={({ target }) => onChange(target.valueAsNumber >= max ? undefined : first.capturedAt + target.valueAsNumber)}
      />
      <div className="row">
        {/* The slider tells it itself: it would be told twice, and live without end. */}
        <output htmlFor={id} aria-live="off">{time === undefined ? `${end}: ${clock.format(last.capturedAt)}` : words()}</output>
        <button type="button" disabled={time === undefined} onClick={() => onChange(undefined)}>
          {end}
        </button>
      </div>
    </div>
  );

  function words(): string {
    if (time === undefined || at === undefined) return "";
    const where = at.capturedAt < time ? `last known at ${clock.format(at.capturedAt)}` : at.speed === undefined ? "" : pace(at.speed);
    return [clock.format(time), degrees(at), where].filter(Boolean).join(" · ");
  }
}
