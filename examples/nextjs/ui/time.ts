"use client";

import { useSyncExternalStore } from "react";

const ticks = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** Calls each second, until what it returns is called: all of a page by one timer. */
export function eachSecond(tick: () => void) {
  ticks.add(tick);
  timer ??= setInterval(() => {
    for (const call of [...ticks]) call();
  }, 1_000);
  return () => {
    ticks.delete(tick);
    if (ticks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

const never = () => () => {};

/** Whether this is the browser, and the page hydrated: what only a browser knows, such as the local time, may differ from the server's HTML from then on. */
export function useMounted(): boolean {
  return useSyncExternalStore(never, () => true, () => false);
}

/** A time as people of the browser's place and language write it: the day only where it is not today. */
export function clockTime(at: number): string {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(undefined, isToday ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" }).format(at);
}
