"use client";

import { useTowline } from "@towline/client/react";
import { useEffect } from "react";

const SCOPE = "/drive";

/** Has the page load again where there is no network, until its driver signs out. In development it would keep what is being changed. */
export function useOfflinePage() {
  const towline = useTowline();
  useEffect(() => {
    if (process.env.NODE_ENV !== "production" || !("serviceWorker" in navigator)) return;
    // Some browsers refuse, in a private window say: then a page that is loaded again needs the network.
    navigator.serviceWorker.register("/sw.js", { scope: SCOPE }).catch(() => {});
    return towline?.live({ stop: () => towline.connection.get().reason === "signed_out" && void forget() });
  }, [towline]);
}

async function forget() {
  await Promise.all([navigator.serviceWorker.getRegistration(SCOPE).then((kept) => kept?.unregister()), caches.delete("drive")]);
}
