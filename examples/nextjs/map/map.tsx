"use client";

import type { TrailPoint } from "@towline/client";
import { useEffect, useRef, useState } from "react";
import { idle } from "./idle";
import styles from "./map.module.css";
import type { Spot } from "./spot";
import type { Drawing, Vehicle } from "./types";

export interface MapProps {
  vehicles: readonly Vehicle[];
  trail?: readonly TrailPoint[];
  /** Where a vehicle is needed. */
  place?: Spot | undefined;
  /** Where whoever looks is. */
  you?: Spot | undefined;
  selected?: string | undefined;
  /** Which vehicle is kept in view, until somebody moves the map; and again once they ask for it. */
  follow?: string | undefined;
  onSelect?: (jobId: string) => void;
  /** Whether all is brought into view each time other vehicles are there, until somebody moves the map. */
  fitsEach?: boolean;
  /** Gives the map, for what is done once, such as `focus`; undefined where there is none any more. */
  onDrawing?: (drawing: Drawing | undefined) => void;
  /** What of that stands in the page's text, where there is no map: there may be no WebGL, and nobody tabs through markers. */
  without: string;
  className?: string;
}

const NO_TRAIL: readonly TrailPoint[] = [];

/** Where the map's file cannot be loaded it is tried again after so many milliseconds, then after twice as many each time, up to a minute. */
const AGAIN_MS = 2_000;
const AGAIN_AT_MOST_MS = 60_000;

/** A map of vehicles. */
export function VehicleMap({ vehicles, trail = NO_TRAIL, place, you, selected, follow, fitsEach = false, onSelect, onDrawing, without, className }: MapProps) {
  const canvas = useRef<HTMLDivElement>(null);
  const [drawing, setDrawing] = useState<Drawing | "none" | "late">();
  const [isFollowing, setFollowing] = useState(false);
  const [isLost, setLost] = useState(false);
  const now = useRef({ onSelect, onDrawing });
  useEffect(() => {
    now.current = { onSelect, onDrawing };
  });

  useEffect(() => {
    let gone = false;
    let made: Drawing | undefined;
    const begin = async () => {
      await idle();
      const draw = await load();
      if (gone || draw === undefined || canvas.current === null) return;
      const select = now.current.onSelect && ((jobId: string) => now.current.onSelect?.(jobId));
      made = draw(canvas.current, { select, following: setFollowing, lost: setLost });
      setDrawing(made);
      now.current.onDrawing?.(made);
    };
    const load = async () => {
      for (let wait = AGAIN_MS; !gone; wait = Math.min(wait * 2, AGAIN_AT_MOST_MS)) {
        try {
          return (await import("./draw")).draw;
        } catch {
          if (!gone) setDrawing("late");
          await new Promise((go) => setTimeout(go, wait));
        }
      }
      return undefined;
    };
    // No WebGL: the text serves.
    begin().catch(() => gone || setDrawing("none"));
    return () => {
      gone = true;
      made?.remove();
      setDrawing(undefined);
      now.current.onDrawing?.(undefined);
    };
  }, []);

  const there = typeof drawing === "object" ? drawing : undefined;
  const isEmpty = !place && !you && trail.length === 0 && vehicles.every(({ position }) => position === undefined);
  useEffect(() => there?.follow(follow), [there, follow]);
  useEffect(() => there?.select(selected), [there, selected]);
  useEffect(() => there?.trail(trail), [there, trail]);
  useEffect(() => there?.place(place), [there, place]);
  useEffect(() => there?.fitEach(fitsEach), [there, fitsEach]);
  useEffect(() => there?.vehicles(vehicles), [there, vehicles]);
  useEffect(() => there?.you(you), [there, you]);

  return (
    <div className={`${styles.frame} ${className ?? ""}`}>
      <div className={styles.canvas} ref={canvas} />
      {drawing === undefined && (
        <p className={styles.none}>
          <noscript>A map needs scripts. {without}</noscript>
          <span className={styles.loading}>The map is loading …</span>
        </p>
      )}
      {drawing === "none" && <p className={styles.none}>This browser draws no map. {without}</p>}
      {drawing === "late" && (
        <p className={styles.none} role="status">
          The map cannot be loaded just now. It is tried again. {without}
        </p>
      )}
      {there && isEmpty && !isLost && <p className={styles.none}>The map is empty.</p>}
      {isLost && (
        <p className={styles.none} role="status">
          This device has stopped drawing the map. It tries again by itself. {without}
        </p>
      )}
      {there && follow !== undefined && !isFollowing && (
        <button type="button" className={styles.follow} onClick={() => there.follow(follow)}>
          Follow
        </button>
      )}
    </div>
  );
}
