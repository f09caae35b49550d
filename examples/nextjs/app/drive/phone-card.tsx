"use client";

import type { DriverState } from "@towline/client/driver";
import { useState } from "react";
import styles from "./drive.module.css";
import { Allowing } from "./limits";
import type { Reception } from "./receiver";
import { useNow } from "./use-now";
import { useWakeLock } from "./use-wake-lock";
import { isRough, position, queue, type Said, SCREEN } from "./words";

const SIGNS: Record<Said["tone"], string> = { good: "✓", muted: "…", warn: "!", bad: "✕" };

interface PhoneCardProps {
  state: DriverState;
  reception: Reception;
  isOn: boolean;
}

/** How this phone does: its position, what waits to be sent, and its screen. */
export function PhoneCard({ state, reception, isOn }: PhoneCardProps) {
  const now = useNow();
  const [wasRough, setRough] = useState(false);
  const rough = isRough(reception.accuracy ?? 0, wasRough);
  if (rough !== wasRough) setRough(rough);
  const screen = useWakeLock(isOn);
  const where = state.sharing ? position(state.permission, reception, now, wasRough) : undefined;
  const waits = queue(state, now);
  return (
    <section className={`card ${styles.phone}`} aria-labelledby="phone">
      <h2 id="phone">This phone</h2>
      {where && <Line said={where} />}
      {where && state.permission === "denied" && <Allowing />}
      <Line said={waits} />
      {state.sender === "another_tab" && state.waiting > 0 && <p className="muted">Another tab of this page sends them.</p>}
      {screen && <Line said={SCREEN[screen]} />}
      {/* What changes is announced, and not how old things are. */}
      <p role="status" className="sr-only">
        {where?.title}
        {state.sending === "held" && ". Towline refuses your positions."}
      </p>
    </section>
  );
}

function Line({ said: { tone, title, more } }: { said: Said }) {
  return (
    <div className={styles.line} data-tone={tone}>
      <span className={styles.sign} aria-hidden="true">
        {SIGNS[tone]}
      </span>
      <p>
        <strong>{title}</strong>
        {more && <span className={styles.more}>{more}</span>}
      </p>
    </div>
  );
}
