"use client";

import { useState } from "react";
import { Form } from "@/live/form";
import { useAction } from "@/live/use-action";
import type { Registration } from "@/towline/registration";
import { useNames, usePeople } from "@/ui/names";
import { TimeField } from "@/ui/time-field";
import { changeJob } from "./actions";
import { Conflict } from "./conflict";
import styles from "./job.module.css";
import { NOTHING, unanswered } from "./outcome";
import { Said, Seen, Submit } from "./said";
import { typed, valuesOf } from "./values";

/** Who drives, where to, and until when. */
export function Change({ jobId, job }: { jobId: string; job: Registration }) {
  const nameOf = useNames();
  const drivers = usePeople("driver");
  const [state, action] = useAction(changeJob, { outcome: NOTHING }, (text, form) => ({ outcome: unanswered(text), values: typed(form) }));
  const { outcome, values } = state;
  const theirs = outcome.is === "conflict" ? outcome.now : undefined;

  // Whoever has begun to type changes the version that they see then, whatever comes meanwhile; until all is well.
  const [held, setHeld] = useState(theirs);
  const [last, setLast] = useState({ state, count: 0 });
  if (last.state !== state) {
    setLast({ state, count: last.count + 1 });
    setHeld(theirs ?? (values && held));
  }
  const seen = held ?? job;
  const shown = values ?? valuesOf(seen);
  const isBlamed = (field: string) => outcome.is === "refused" && outcome.field === field;

  return (
    <section className="card" aria-labelledby="change">
      <h2 id="change" tabIndex={-1}>Change</h2>
      <Form action={action} onChange={() => setHeld(seen)} className={styles.form}>
        <Seen jobId={jobId} job={seen} />
        <div key={`${last.count} ${JSON.stringify(shown)}`} className={styles.fields}>
          <label htmlFor="driver">Driver</label>
          <select id="driver" name="driver" defaultValue={shown.driver} aria-describedby="reassigning" aria-invalid={isBlamed("driver")}>
            <option value="">Nobody</option>
            {drivers.map(({ id, name }) => (
              <option key={id} value={id}>
                {name} ({id})
              </option>
            ))}
            {shown.driver !== "" && !drivers.some(({ id }) => id === shown.driver) && <option value={shown.driver}>{nameOf(shown.driver)}</option>}
          </select>
          <p id="reassigning" className="muted">
            With another driver a new trail begins. At once customers see nothing of where the one before was, and that one shares no more.
          </p>
          <fieldset className={styles.place}>
            <legend>Where the vehicle is needed</legend>
            <label>
              Latitude
              <input name="lat" inputMode="decimal" autoComplete="off" defaultValue={shown.lat} aria-invalid={isBlamed("place")} />
            </label>
            <label>
              Longitude
              <input name="lng" inputMode="decimal" autoComplete="off" defaultValue={shown.lng} aria-invalid={isBlamed("place")} />
            </label>
          </fieldset>
          <TimeField name="endsAt" label="Ends" defaultValue={shown.endsAt} />
        </div>
        {outcome.is === "conflict" ? <Conflict {...outcome} /> : <Submit className="primary">Change</Submit>}
        <Said outcome={outcome} />
      </Form>
    </section>
  );
}
