"use client";

import { Form } from "@/live/form";
import { useAction } from "@/live/use-action";
import type { Registration } from "@/towline/registration";
import { useNames, usePeople } from "@/ui/names";
import { addCustomer, type CustomerOutcome, removeCustomer } from "./actions";
import { Conflict } from "./conflict";
import styles from "./job.module.css";
import { NOTHING, unanswered } from "./outcome";
import { Said, Seen, Submit, useNewest } from "./said";

const NOBODY: CustomerOutcome = { outcome: NOTHING, customer: "" };

const unknown = (text: string, form: FormData): CustomerOutcome => ({ outcome: unanswered(text), customer: String(form.get("customer")) });

/** Who sees the job as its customer. @param customers without those by link */
export function Customers({ jobId, job, customers }: { jobId: string; job: Registration; customers: readonly string[] }) {
  const nameOf = useNames();
  const known = usePeople("customer");
  const [added, add] = useAction(addCustomer, NOBODY, unknown);
  const [removed, remove] = useAction(removeCustomer, NOBODY, unknown);
  const [ofAdded, ofRemoved] = useNewest(added.outcome, removed.outcome);
  return (
    <section className="card" aria-labelledby="customers">
      <h2 id="customers" tabIndex={-1}>Customers</h2>
      {customers.length === 0 && <p className="muted">Nobody yet.</p>}
      <ul className={styles.list}>
        {customers.map((id) => (
          <li key={id}>
            <span>{nameOf(id)}</span>
            <details>
              <summary>
                Remove<span className="sr-only"> {nameOf(id)}</span>
              </summary>
              <Form action={remove} className={styles.sure}>
                <Seen jobId={jobId} job={job} />
                <input type="hidden" name="customer" value={id} />
                <p>{nameOf(id)} sees nothing of this job from then on, in an open page too.</p>
                <Submit className="danger">Remove {nameOf(id)}</Submit>
              </Form>
            </details>
          </li>
        ))}
      </ul>
      <Again jobId={jobId} action={remove} outcome={ofRemoved} customer={removed.customer} />
      <Form action={add} className={styles.form}>
        <Seen jobId={jobId} job={job} />
        <label htmlFor="customer">Name or id</label>
        <div className="row">
          <input
            id="customer"
            name="customer"
            list="people"
            required
            maxLength={128}
            autoComplete="off"
            defaultValue={added.outcome.is === "refused" ? added.customer : ""}
          />
          <datalist id="people">
            {known.filter(({ id }) => !customers.includes(id)).map(({ id, name }) => (
              <option key={id} value={name} />
            ))}
          </datalist>
          <Submit>Add</Submit>
        </div>
      </Form>
      <Again jobId={jobId} action={add} outcome={ofAdded} customer={added.customer} />
    </section>
  );
}

/** What has become of it, and the way to do it all the same. */
function Again({ jobId, action, outcome, customer }: CustomerOutcome & { jobId: string; action: (form: FormData) => void }) {
  return (
    <>
      <Said outcome={outcome} />
      {outcome.is === "conflict" && (
        <Form action={action}>
          <Seen jobId={jobId} job={outcome.now} />
          <input type="hidden" name="customer" value={customer} />
          <Conflict {...outcome} />
        </Form>
      )}
    </>
  );
}
