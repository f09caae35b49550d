"use client";

import { useCallback, useEffect, useState } from "react";
import type { Spot } from "@/map/spot";
import styles from "./card.module.css";

/** Where whoever looks is: once they have asked for it, in this page alone. It is sent nowhere and kept nowhere. */
export interface OwnPosition {
  state: "off" | "asked" | "known" | "denied" | "unknown";
  spot: Spot | undefined;
  ask(): void;
}

export function useOwnPosition(): OwnPosition {
  const [asked, setAsked] = useState(0);
  const [{ state, spot }, setOwn] = useState<Pick<OwnPosition, "state" | "spot">>({ state: "off", spot: undefined });
  useEffect(() => {
    if (asked === 0) return;
    const found = ({ coords: { latitude: lat, longitude: lng } }: GeolocationPosition) => setOwn({ state: "known", spot: { lat, lng } });
    const failed = ({ code, PERMISSION_DENIED }: GeolocationPositionError) => {
      // What was known stays where the next one fails.
      setOwn((own) => (code === PERMISSION_DENIED ? { state: "denied", spot: undefined } : own.spot ? own : { state: "unknown", spot: undefined }));
    };
    const watching = navigator.geolocation.watchPosition(found, failed, { enableHighAccuracy: true, maximumAge: 10_000 });
    return () => navigator.geolocation.clearWatch(watching);
  }, [asked]);
  const ask = useCallback(() => {
    setOwn({ state: "asked", spot: undefined });
    setAsked((times) => times + 1);
  }, []);
  return { state, spot, ask };
}

const SAID: Record<Exclude<OwnPosition["state"], "known">, string> = {
  off: "Says how far away the vehicle is. Where you are stays in this browser.",
  asked: "Your browser is asked where you are.",
  denied: "Your browser does not let this page know where you are. Its settings for this site can.",
  unknown: "Your browser does not know where you are just now. It keeps looking.",
};

/** The offer to say how far away the vehicle is, until that is known. */
export function UseOwnPosition({ own: { state, ask } }: { own: OwnPosition }) {
  if (state === "known") return null;
  return (
    <div className={styles.own}>
      <button type="button" onClick={ask} disabled={state === "asked"}>
        Use my position
      </button>
      <p className="muted" role={state === "off" ? undefined : "status"}>
        {SAID[state]}
      </p>
    </div>
  );
}
