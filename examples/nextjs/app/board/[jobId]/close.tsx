"use client";

import { startTransition, useEffect, useRef, useState } from "react";
import { Form } from "@/live/form";
import { useAction } from "@/live/use-action";
import { closeJob } from "./actions";
import styles from "./job.module.css";
import { NOTHING, unanswered } from "./outcome";
import { Said } from "./said";

/** So long somebody may think again, in seconds. */
const UNDO_S = 5;

const REASONS = [
  ["done", "Done"],
  ["cancelled", "Cancelled"],
  ["failed", "Failed"],
] as const;

/** What is focused is read out, too. */
const focus = (element: HTMLElement | null) => element?.focus();

/** Closes the job: asks, and waits a while. Without a script nothing waits, so a box has to be ticked. */
export function Close({ jobId }: { jobId: string }) {
  const [outcome, action, isPending] = useAction(closeJob, NOTHING, unanswered);
  const [closing, setClosing] = useState<FormData>();
  const undone = useRef<HTMLButtonElement>(null);
  // Where it was refused the form is there again. Otherwise the page is another one.
  useEffect(() => {
    if (isPending) return () => undone.current?.focus();
  }, [isPending]);
  return (
    <section className="card" aria-labelledby="close">
      <h2 id="close">Close</h2>
      <p className="muted">Closed is for ever: nobody can open the job again. Driver, customers and links see nothing of it from then on.</p>
      <Form
        action={action}
        className={styles.form}
        hidden={closing !== undefined || isPending}
        onSubmit={(event) => {
          event.preventDefault();
          setClosing(new FormData(event.currentTarget));
        }}
      >
        <input type="hidden" name="jobId" value={jobId} />
        <fieldset className={styles.reasons}>
          <legend>How did it end?</legend>
          {REASONS.map(([reason, name]) => (
            <label key={reason}>
              <input type="radio" name="reason" value={reason} required />
              {name}
            </label>
          ))}
        </fieldset>
        <noscript>
          <label className={styles.check}>
            <input type="checkbox" name="sure" required /> I am sure: it cannot be undone
          </label>
        </noscript>
        <button className="danger" ref={undone}>
          Close the job
        </button>
      </Form>
      {closing && (
        <Countdown
          onUndo={() => {
            setClosing(undefined);
            requestAnimationFrame(() => undone.current?.focus());
          }}
          onEnd={() => {
            closing.set("sure", "yes");
            startTransition(() => action(closing));
            setClosing(undefined);
          }}
        />
      )}
      {isPending && (
        <p ref={focus} tabIndex={-1}>
          Closing …
        </p>
      )}
      <Said outcome={outcome} />
    </section>
  );
}

/** Ends after a while, unless it is undone or the page is left: also for a page that the browser keeps, and brings back later. */
function Countdown({ onUndo, onEnd }: { onUndo: () => void; onEnd: () => void }) {
  const [left, setLeft] = useState(UNDO_S);
  const calls = useRef({ onUndo, onEnd });
  useEffect(() => {
    calls.current = { onUndo, onEnd };
  });
  useEffect(() => {
    const leave = () => calls.current.onUndo();
    addEventListener("pagehide", leave);
    return () => removeEventListener("pagehide", leave);
  }, []);
  useEffect(() => {
    const timer = setTimeout(() => (left > 1 ? setLeft(left - 1) : calls.current.onEnd()), 1_000);
    return () => clearTimeout(timer);
  }, [left]);
  return (
    <div className={styles.countdown}>
      <p role="alert">The job is closed in {UNDO_S} seconds, for ever. If you leave this page before, it stays open.</p>
      <div className="row">
        <button autoFocus onClick={onUndo}>
          Undo
        </button>
        <span className={styles.left} aria-hidden="true">
          {left} s
        </span>
      </div>
    </div>
  );
}
