"use client";

import { useConnection, useTowline } from "@towline/client/react";
import { useRouter } from "next/navigation";
import { type ReactNode, startTransition, useEffect, useState } from "react";
import { flushSync } from "react-dom";

/**
 * What is one user's: it is gone once the client has stopped, with whatever the server had rendered. A browser may keep a page that is left, and
 * whoever goes back to it may be somebody else: it hides as it is left, until the server has rendered it for them.
 */
export function Own({ children }: { children: ReactNode }) {
  const towline = useTowline();
  const router = useRouter();
  const { state } = useConnection();
  const [isLeft, setLeft] = useState(false);
  useEffect(() => {
    const onLeft = () => flushSync(() => setLeft(true));
    const onBack = ({ persisted }: PageTransitionEvent) => {
      if (!persisted || towline?.isStopped()) return;
      // One transition: it shows with what has come.
      startTransition(() => {
        router.refresh();
        setLeft(false);
      });
    };
    addEventListener("pagehide", onLeft);
    addEventListener("pageshow", onBack);
    return () => {
      removeEventListener("pagehide", onLeft);
      removeEventListener("pageshow", onBack);
    };
  }, [towline, router]);
  if (state === "stopped") return null;
  return <div style={{ display: isLeft ? "none" : "contents" }}>{children}</div>;
}
