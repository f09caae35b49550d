"use client";

import { useCallback, useEffect, useState } from "react";

/** What a driver has said; it outlasts that the page is loaded anew, and ends with the tab. */
export interface Duty {
  readonly on: boolean;
  /** Which job they drive for. */
  readonly job: string | undefined;
}

const OFF: Duty = { on: false, job: undefined };
const KEY = "towline-duty";

/** A browser that lets nothing be kept only makes the driver say it again. */
function keep(user: string, duty: Duty) {
  try {
    if (duty.on) sessionStorage.setItem(KEY, JSON.stringify({ user, job: duty.job }));
    else endDuty();
  } catch {}
}

/** Ends the duty of whoever has said in this tab that they are on it. */
export function endDuty() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {}
}

function kept(user: string): Duty {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (found?.user === user) return { on: true, job: typeof found.job === "string" ? found.job : undefined };
    endDuty();
  } catch {}
  return OFF;
}

/** @param user whose duty it is; what another driver has left in this tab is forgotten */
export function useDuty(user: string): [Duty, (duty: Duty) => void] {
  const [duty, setDuty] = useState(OFF);
  useEffect(() => setDuty(kept(user)), [user]);
  const say = useCallback(
    (next: Duty) => {
      keep(user, next);
      setDuty(next);
    },
    [user],
  );
  return [duty, say];
}
