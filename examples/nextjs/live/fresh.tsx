"use client";

import { useConnection, useNotifications } from "@towline/client/react";
import { useCallback, useEffect, useState } from "react";
import { useRefresh } from "./use-refresh";

const EACH_MS = 15_000;

/** Has the server render the page anew: when there is news for whoever looks, and from time to time while it is seen. Says where that cannot be. */
export function Fresh() {
  const refresh = useRefresh();
  const [isReached, setReached] = useState(true);
  const { state } = useConnection();
  const { items, missed } = useNotifications();
  const newest = items[0]?.id;
  const renew = useCallback(async () => setReached(await refresh()), [refresh]);
  useEffect(() => {
    if (newest !== undefined || missed > 0) void renew();
  }, [renew, newest, missed]);
  useEffect(() => {
    const onSeen = () => {
      if (!document.hidden) void renew();
    };
    const timer = setInterval(onSeen, EACH_MS);
    document.addEventListener("visibilitychange", onSeen);
    addEventListener("online", onSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", onSeen);
      removeEventListener("online", onSeen);
    };
  }, [renew]);
  return (
    <p className="notice" role="status">
      {!isReached && state !== "offline" && "No connection to this site. Trying again: what you see may be out of date."}
    </p>
  );
}
