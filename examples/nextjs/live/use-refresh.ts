"use client";

import { useRouter } from "next/navigation";
import { startTransition, useCallback } from "react";

/** Longer than a network takes that is of use. */
const PATIENCE_MS = 10_000;

/**
 * Has the server render the page anew, where it can be reached, and tells whether it can. `router.refresh` alone would otherwise leave the page for
 * what the browser says of a network that is not there.
 *
 * It takes what else is to change once the page has come.
 */
export function useRefresh(): (also?: () => void) => Promise<boolean> {
  const router = useRouter();
  return useCallback(
    async (also) => {
      // What renders pages answers this, and not what keeps files before it.
      const asked = fetch("/alive", { method: "HEAD", cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE_MS) });
      const isReached = await asked.then(({ ok }) => ok, () => false);
      if (isReached) {
        startTransition(() => {
          router.refresh();
          also?.();
        });
      }
      return isReached;
    },
    [router],
  );
}
