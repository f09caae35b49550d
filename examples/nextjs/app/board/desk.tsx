"use client";

// What a dispatcher has said on the board. It stays with their client, which is one user's: so it stands while they are at a job's page. Whether they are on
// duty is kept by the tab, too: so it also stands where a page is loaded anew.

import { goOnDuty, type Towline } from "@towline/client";
import { useTowline } from "@towline/client/react";
import { useEffect } from "react";
import { keepDuty, keptDuty } from "@/live/duty";
import type { Alarms } from "./alarms";

interface Desk {
  /** Whether they are on duty; undefined where they have not been at the board in this tab. */
  isOnDuty?: boolean;
  /** What they have seen, and dismissed. */
  alarms?: Alarms;
}

const desks = new WeakMap<Towline, Desk>();

const userOf = (towline: Towline) => towline.user() ?? "";

export function deskOf(towline: Towline | undefined): Desk {
  if (towline === undefined) return {};
  return desks.get(towline) ?? { isOnDuty: keptDuty(userOf(towline))?.on };
}

export function keepOnDesk(towline: Towline | undefined, change: Desk) {
  if (towline === undefined) return;
  desks.set(towline, { ...deskOf(towline), ...change });
  if (change.isOnDuty !== undefined) keepDuty(userOf(towline), { on: change.isOnDuty });
}

export const goOnBoardDuty = (towline: Towline) => goOnDuty(towline, { role: "dispatcher", duty: "board" });

/**
 * For a page that the board leads to: whoever was on duty there still is, also once it is loaded anew. Whoever comes to it in a new tab, by a bookmark say,
 * is not by that: nothing on it says whether they are, and only the board has the switch.
 */
export function StayOnDuty() {
  const towline = useTowline();
  useEffect(() => (towline && deskOf(towline).isOnDuty ? goOnBoardDuty(towline) : undefined), [towline]);
  return null;
}
