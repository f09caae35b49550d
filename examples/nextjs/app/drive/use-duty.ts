"use client";

import { useCallback, useEffect, useState } from "react";
import { type Duty, keepDuty, keptDuty } from "@/live/duty";

const OFF: Duty = { on: false };

/** A driver's duty, which they have to say, and how they say it. */
export function useDuty(user: string): [Duty, (duty: Duty) => void] {
  const [duty, setDuty] = useState(OFF);
  useEffect(() => setDuty(keptDuty(user) ?? OFF), [user]);
  const say = useCallback(
    (next: Duty) => {
      keepDuty(user, next);
      setDuty(next);
    },
    [user],
  );
  return [duty, say];
}
