"use client";

// What a dispatcher has said on the board. It stays with their client, which is one user's: so it stands while they are at a job's page.

import { goOnDuty, type Towline } from "@towline/client";
import { useTowline } from "@towline/client/react";
import { useEffect } from "react";
import type { Alarms } from "./alarms";

interface Desk {
  /** Whether they are on duty; undefined where this tab has not shown the board yet. */
  isOnDuty?: boolean;
  /** What they have seen, and dismissed. */
  alarms?: Alarms;
}

const desks = new WeakMap<Towline, Desk>();

export const deskOf = (towline: Towline | undefined): Desk => (towline && desks.get(towline)) ?? {};

export function keepOnDesk(towline: Towline | undefined, change: Desk) {
  if (towline) desks.set(towline, { ...deskOf(towline), ...change });
}

export const goOnBoardDuty = (towline: Towline) => goOnDuty(towline, { role: "dispatcher", duty: "board" });

/** For a page that the board leads to: whoever was on duty there still is. */
export function StayOnDuty() {
  const towline = useTowline();
  useEffect(() => (towline && deskOf(towline).isOnDuty ? goOnBoardDuty(towline) : undefined), [towline]);
  return null;
}
