"use client";

import { useEffect, useState } from "react";

/** Whether the screen is kept on: `refused` by the device, to save its battery say. */
export type Screen = "kept" | "refused" | "unsupported";

/** Keeps the screen on while `active`. The browser takes it back whenever the page is not seen. */
export function useWakeLock(active: boolean): Screen | undefined {
  const [screen, setScreen] = useState<Screen>();
  useEffect(() => {
    if (!active) return;
    if (!("wakeLock" in navigator)) {
      setScreen("unsupported");
      return () => setScreen(undefined);
    }
    let isOver = false;
    let lock: WakeLockSentinel | undefined;
    const keep = async () => {
      if (document.visibilityState !== "visible" || (lock && !lock.released)) return;
      try {
        const mine = await navigator.wakeLock.request("screen");
        if (isOver) return void mine.release();
        lock = mine;
        mine.addEventListener("release", () => isOver || setScreen("refused"));
        setScreen("kept");
      } catch {
        if (!isOver) setScreen("refused");
      }
    };
    void keep();
    document.addEventListener("visibilitychange", keep);
    return () => {
      isOver = true;
      document.removeEventListener("visibilitychange", keep);
      void lock?.release();
      setScreen(undefined);
    };
  }, [active]);
  return screen;
}
