"use client";

import { useEffect, useId, useRef } from "react";
import { isLink } from "@/session/link-id";
import { type Difference, differences, type Registration } from "@/towline/registration";
import { Moment } from "@/ui/moment";
import { useNames } from "@/ui/names";
import styles from "./job.module.css";
import { Submit } from "./said";
import { degrees } from "./words";

const NAMES: Record<Difference["field"], string> = {
  driver: "Driver",
  customers: "Customers",
  place: "Place",
  startsAt: "Begins",
  endsAt: "Ends",
  dispatchId: "Dispatch",
  gate: "When customers see it",
};

/** Somebody else was first: what they have changed, what is wanted, and the two ways on. It stands in the form that was sent. */
export function Conflict({ before, now, wanted }: { before: Registration; now: Registration; wanted: Registration }) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.focus(), [now.version]);
  return (
    <div className={styles.conflict} ref={box} tabIndex={-1} role="group" aria-labelledby={id}>
      <h3 id={id}>Somebody else has changed this job meanwhile</h3>
      <p>Nothing of yours is applied yet, and nothing of it is lost.</p>
      <dl>
        {differences(before, now, wanted).map(({ field, isWanted }) => (
          <div key={field}>
            <dt>{NAMES[field]}</dt>
            <dd>
              There is now: <strong><Value of={now} field={field} /></strong>
            </dd>
            {isWanted && (
              <dd>
                You want: <strong><Value of={wanted} field={field} /></strong>
              </dd>
            )}
            <dd className="muted">
              Before: <Value of={before} field={field} />
            </dd>
          </div>
        ))}
      </dl>
      <div className="row">
        <Submit className="primary">Apply mine all the same</Submit>
        <Submit name="theirs" value="yes" formNoValidate>
          Leave it as it is
        </Submit>
      </div>
    </div>
  );
}

function Value({ of: job, field }: { of: Registration; field: Difference["field"] }) {
  const nameOf = useNames();
  switch (field) {
    case "driver":
      return job.driver === null ? "nobody" : nameOf(job.driver);
    case "customers":
      return job.customers.map((id) => (isLink(id) ? "a link" : nameOf(id))).join(", ") || "nobody";
    case "place":
      return job.place === null ? "none" : degrees(job.place);
    case "dispatchId":
      return job.dispatchId ?? "none";
    case "gate": {
      const { from, within } = job.gate?.customer ?? {};
      if (from == null && within == null) return "at once";
      return (
        <>
          {from != null && (
            <>
              from <Moment at={Number(from)} />{" "}
            </>
          )}
          {within != null && `once it is within ${within} m`}
        </>
      );
    }
    default:
      return job[field] === null ? "not said" : <Moment at={job[field]} />;
  }
}
