"use client";

import { useConnection, useTowline } from "@towline/client/react";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { flushSync } from "react-dom";
import { endDuty, keptDuty } from "./duty";
import { useRefresh } from "./use-refresh";

/** So long it waits where the site is not reached, in milliseconds. */
const AGAIN_MS = 5_000;

/**
 * What is one user's: it is gone once the client has stopped, with whatever the server had rendered. A browser may keep a page that is left, and
 * whoever goes back to it may be somebody else: it hides as it is left, until the server has rendered it for them.
 */
export function Own({ children }: { children: ReactNode }) {
  const towline = useTowline();
  const { state } = useConnection();
  const [left, setLeft] = useState<"left" | "back">();
  const show = useCallback(() => setLeft(undefined), []);
  useEffect(() => {
    const onLeft = () => flushSync(() => setLeft("left"));
    const onBack = ({ persisted }: PageTransitionEvent) => {
      if (persisted && !towline?.isStopped()) setLeft("back");
    };
    addEventListener("pagehide", onLeft);
    addEventListener("pageshow", onBack);
    return () => {
      removeEventListener("pagehide", onLeft);
      removeEventListener("pageshow", onBack);
    };
  }, [towline]);
  useEffect(() => {
    if (towline === undefined) return;
    // What another has left in this tab.
    if (keptDuty(towline.user() ?? "") === undefined) endDuty();
    // Whoever has to sign in anew goes on as they were; nobody else does, nor whoever has signed out.
    return towline.live({ stop: () => towline.connection.get().reason !== "session_ended" && endDuty() });
  }, [towline]);
  if (state === "stopped") return null;
  return (
    <>
      {left === "back" && <Back show={show} />}
      <div style={{ display: left ? "none" : "contents" }}>{children}</div>
    </>
  );
}

/** Stands for a page that somebody has gone back to, until the server has rendered it for them. @param show shows it, with what has come */
function Back({ show }: { show: () => void }) {
  const refresh = useRefresh();
  const [isReached, setReached] = useState(true);
  useEffect(() => {
    let isGone = false;
    let timer: ReturnType<typeof setTimeout>;
    const go = async () => {
      const isThere = await refresh(show);
      if (isGone) return;
      setReached(isThere);
      if (!isThere) timer = setTimeout(go, AGAIN_MS);
    };
    void go();
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [refresh, show]);
  return (
    <main>
      <p className="notice" role="status">
        {!isReached && "No connection to this site. The page is shown again once there is one."}
      </p>
    </main>
  );
}
