"use client";

import { type ButtonHTMLAttributes, useEffect, useRef, useState } from "react";
import { useFormStatus } from "react-dom";
import type { Registration } from "@/towline/registration";
import { NOTHING, type Outcome } from "./outcome";

/** What has become of a form, for whoever looks and for whoever listens. */
export function Said({ outcome }: { outcome: Outcome }) {
  const said = useRef<HTMLParagraphElement>(null);
  const last = useRef(outcome);
  useEffect(() => {
    const before = last.current;
    last.current = outcome;
    // The button that was pressed may be gone with what it has removed.
    if (document.activeElement !== document.body) return;
    if (outcome.is === "done") said.current?.focus();
    else if (before.is === "conflict" && outcome.is === "nothing") said.current?.closest("section")?.querySelector("h2")?.focus();
  }, [outcome]);
  return (
    <>
      <p role="status" ref={said} tabIndex={-1}>
        {outcome.is === "done" && outcome.text}
      </p>
      {outcome.is === "refused" && (
        <p className="notice" role="alert">
          {outcome.text}
        </p>
      )}
    </>
  );
}

/** What is said of two forms beside each other: news of the one takes the place of that of the other. What asks for an answer stays. */
export function useNewest(a: Outcome, b: Outcome): [a: Outcome, b: Outcome] {
  const [seen, setSeen] = useState<{ a: Outcome; b: Outcome; last?: "a" | "b" }>({ a, b });
  if (seen.a !== a || seen.b !== b) setSeen({ a, b, last: seen.b !== b ? "b" : "a" });
  const told = (outcome: Outcome, isOld: boolean) => (isOld && outcome.is !== "conflict" ? NOTHING : outcome);
  return [told(a, seen.last === "b"), told(b, seen.last === "a")];
}

/** A form's button: pressed again while the form is under way it does nothing. It is not disabled, so that whoever has pressed it does not lose their place. */
export function Submit(props: ButtonHTMLAttributes<HTMLButtonElement>) {
  const { pending } = useFormStatus();
  return <button {...props} aria-disabled={pending} onClick={(event) => pending && event.preventDefault()} />;
}

/** Which job a form changes, and as it was seen. */
export function Seen({ jobId, job }: { jobId: string; job: Registration }) {
  return (
    <>
      <input type="hidden" name="jobId" value={jobId} />
      <input type="hidden" name="seen" value={JSON.stringify(job)} />
    </>
  );
}
