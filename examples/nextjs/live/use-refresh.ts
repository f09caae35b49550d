"use client";

import { useRouter } from "next/navigation";
import { useCallback } from "react";

/** Longer than a network takes that is of use. */
const PATIENCE_MS = 10_000;

/**
 * Has the server render the page anew, where it can be reached, and tells whether it can. `router.refresh` alone would otherwise leave the page for
 * what the browser says of a network that is not there.
 */
export function useRefresh(): () => Promise<boolean> {
  const router = useRouter();
  return useCallback(async () => {
    const asked = fetch("/icon.svg", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    // Above that it is what stands between that answers, and says that there is no more.
    const isReached = await asked.then(({ status }) => status < 500, () => false);
    if (isReached) router.refresh();
    return isReached;
  }, [router]);
}
