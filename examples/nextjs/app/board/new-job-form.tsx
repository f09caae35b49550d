"use client";

import Link from "next/link";
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from "react";
import { Form } from "@/live/form";
import { useAction } from "@/live/use-action";
import { usePeople } from "@/ui/names";
import { createJob, type Creation } from "./create";
import { EMPTY, type Field, valuesOf } from "./new-job";
import styles from "./new-job.module.css";
import { jobName } from "@/ui/job-name";

const HOURS = ["1", "2", "4", "8", "12", "24", "72"];
const FIRST: Creation = { values: EMPTY, errors: {} };

/** @param name what the next job is called, unless somebody says otherwise */
export function NewJob({ name }: { name: string }) {
  const [{ values, errors, made }, create, isPending] = useAction(createJob, FIRST, (text, form) => ({ values: valuesOf(form), errors: { form: text } }));
  const drivers = usePeople("driver");
  const details = useRef<HTMLDetailsElement>(null);
  const hasErrors = Object.keys(errors).length > 0;
  useEffect(() => {
    if (Object.keys(errors).length > 0) details.current?.querySelector<HTMLElement>("[aria-invalid], [role=alert]")?.focus();
  }, [errors]);
  const onSummary = () => details.current?.querySelector("summary")?.focus();
  // The button that was pressed is disabled meanwhile, and loses the focus.
  useEffect(() => {
    if (made !== undefined) onSummary();
  }, [made]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || details.current === null) return;
    details.current.open = false;
    onSummary();
  };

  const about = (field: Field) => ({
    id: `new-${field}`,
    name: field,
    defaultValue: values[field] || (field === "job" ? name : ""),
    ...(errors[field] && { "aria-invalid": true, "aria-describedby": `new-${field}-error` }),
  });
  const field = (field: Field, label: string, control: ReactNode) => (
    <div className={styles.field}>
      <label htmlFor={`new-${field}`}>{label}</label>
      {control}
      {errors[field] && (
        <p className={styles.error} id={`new-${field}-error`}>
          {errors[field]}
        </p>
      )}
    </div>
  );

  return (
    <details className={styles.new} ref={details} open={hasErrors || made !== undefined} onKeyDown={onKeyDown}>
      <summary className="button primary">New job</summary>
      <Form action={create} className={`card ${styles.form}`} aria-busy={isPending}>
        <p role="status" className={styles.made}>
          {made !== undefined && (
            <>
              <Link href={`/board/${encodeURIComponent(made)}`} prefetch={false}>{jobName(made)}</Link> is on the board.
            </>
          )}
        </p>
        {errors.form && (
          <p role="alert" tabIndex={-1} className={styles.error}>
            {errors.form}
          </p>
        )}
        {field("job", "Name", <input {...about("job")} required maxLength={64} autoComplete="off" />)}
        {field(
          "driver",
          "Driver",
          <select key={values.driver} {...about("driver")}>
            <option value="">Nobody yet</option>
            {drivers.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>,
        )}
        {field("customers", "Customers", <input {...about("customers")} placeholder="Names or ids: Ann, Ben" autoComplete="off" />)}
        <fieldset className={styles.place}>
          <legend>Where it is needed, if that is known</legend>
          {field("lat", "Latitude", <input {...about("lat")} inputMode="decimal" autoComplete="off" />)}
          {field("lng", "Longitude", <input {...about("lng")} inputMode="decimal" autoComplete="off" />)}
        </fieldset>
        {field(
          "hours",
          "Ends by itself in",
          <select key={values.hours} {...about("hours")}>
            {HOURS.map((hours) => (
              <option key={hours} value={hours}>
                {hours === "1" ? "1 hour" : `${hours} hours`}
              </option>
            ))}
          </select>,
        )}
        <button className="primary" disabled={isPending}>
          {isPending ? "Making it …" : "Make the job"}
        </button>
      </Form>
    </details>
  );
}
