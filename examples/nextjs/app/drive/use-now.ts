"use client";

import { useSyncExternalStore } from "react";
import { eachSecond } from "@/ui/time";

/** By the device's clock, as all that a phone says of itself; in whole seconds. */
export function useNow(): number {
  return useSyncExternalStore(eachSecond, () => Math.floor(Date.now() / 1_000) * 1_000, () => 0);
}
