"use client";

import { useCallback, useEffect, useState } from "react";
import type { Spot } from "@/map/spot";
import styles from "./card.module.css";

/** Where whoever looks is: once they have asked for it, in this page alone. It is sent nowhere and kept nowhere. */
export interface OwnPosition {
  state: "off" | "asked" | "known" | "denied" | "unknown";
  spot: Spot | undefined;
  ask(): void;
  stop(): void;
}

/** @param isOffered whether whoever looks can say so: where they cannot any more, it ends by itself */
export function useOwnPosition(isOffered: boolean): OwnPosition {
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
  const stop = useCallback(() => {
    setOwn({ state: "off", spot: undefined });
    setAsked(0);
  }, []);
  useEffect(() => {
    if (!isOffered) stop();
  }, [isOffered, stop]);
  return { state, spot, ask, stop };
}

const SAID: Record<OwnPosition["state"], string> = {
  off: "",
  asked: "Your browser is asked where you are.",
  known: "",
  denied: "Your browser does not let this page know where you are. Its settings for this site can.",
  unknown: "Your browser does not know where you are just now. It keeps looking.",
};

/** The first text that there is, as long as it is still the same: what is to be read out once, and not left to be read when it is old. */
function useFirst(text: string | undefined): string | null | undefined {
  const [first, setFirst] = useState<string | null>();
  const next = text === undefined || first === undefined || first === text ? text : null;
  if (next !== first) setFirst(next);
  return next;
}

/**
 * The offer to say how far away the vehicle is. It is one button all the time, so that whoever has pressed it does not lose their place.
 * @param away how far that is, once it is known
 */
export function UseOwnPosition({ own: { state, ask, stop }, away }: { own: OwnPosition; away: string | undefined }) {
  const first = useFirst(away);
  const isInUse = state === "asked" || state === "known" || state === "unknown";
  return (
    <div className={styles.own}>
      <button type="button" onClick={isInUse ? stop : ask}>
        {isInUse ? "Stop using my position" : "Use my position"}
      </button>
      <p className="muted">{state !== "known" && "Says how far away the vehicle is. "}Where you are stays in this browser.</p>
      <p className="muted" role="status">
        {SAID[state]}
        {first && <span className="sr-only">The vehicle is {first} from you.</span>}
      </p>
    </div>
  );
}
