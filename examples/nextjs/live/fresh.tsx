"use client";

import { useNotifications } from "@towline/client/react";
import { useRouter } from "next/navigation";
import { useEffect } from "react";

const EACH_MS = 15_000;

/** Has the server render the page anew: when there is news for whoever looks, and from time to time while it is seen. */
export function Fresh() {
  const router = useRouter();
  const { items, missed } = useNotifications();
  const newest = items[0]?.id;
  useEffect(() => {
    if (newest !== undefined || missed > 0) router.refresh();
  }, [router, newest, missed]);
  useEffect(() => {
    const refresh = () => document.hidden || router.refresh();
    const timer = setInterval(refresh, EACH_MS);
    document.addEventListener("visibilitychange", refresh);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", refresh);
    };
  }, [router]);
  return null;
}
