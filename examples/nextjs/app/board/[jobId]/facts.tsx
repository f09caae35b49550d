"use client";

import { type FirstState, initialSnapshot, type Job, type JobSnapshot, type PhoneState } from "@towline/client";
import { useAge, useJob } from "@towline/client/react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { rowsOf } from "@/app/board/rows";
import { SIGN, WORD } from "@/app/board/words";
import { useRefresh } from "@/live/use-refresh";
import { isLink } from "@/session/link-id";
import { gateOf } from "@/towline/registration";
import { ago, within } from "@/ui/measures";
import { Moment } from "@/ui/moment";
import { useNames } from "@/ui/names";
import { SIGNS } from "@/ui/status";
import styles from "./job.module.css";
import { degrees, pace } from "./words";

const PHONE: Record<PhoneState, string> = {
  parked: "The driver's phone says that the vehicle is parked.",
  no_permission: "The driver's phone may not tell where it is.",
  no_fix: "The driver's phone finds no position.",
  off_duty: "The driver is off duty.",
};

const REASONS: Record<string, string> = { done: "done", cancelled: "cancelled", failed: "failed", expired: "its time was over" };

/** What is known of a job, live as long as it is open. */
export function Facts({ job, initial }: { job: Job; initial: FirstState | null }) {
  const [wasOpen] = useState(job.state === "open");
  return job.state === "open" ? <Open job={job} initial={initial} /> : <Closed job={job} initial={initial} isNews={wasOpen} />;
}

function Open({ job, initial }: { job: Job; initial: FirstState | null }) {
  const refresh = useRefresh();
  const snapshot = useJob(job.jobId, { initial });
  const age = useAge(snapshot);
  const state = stateOf(job, snapshot);
  const isOver = snapshot.status === "ended";
  const version = snapshot.update?.version ?? 0;
  const isOld = version > job.version || (snapshot.epoch ?? 0) > (job.epoch ?? 0);
  // Somebody has changed it: what else the page shows is the server's to say.
  useEffect(() => {
    if (isOver || isOld) void refresh();
  }, [refresh, isOver, isOld, version]);
  return (
    <section className="card" aria-label="State">
      <h2 className={styles.status} data-status={state}>
        <span role="status">
          <span aria-hidden="true">{SIGN[state]}</span> {WORD[state]}
        </span>
      </h2>
      {snapshot.heartbeat && <p>{PHONE[snapshot.heartbeat]}</p>}
      {job.refusedSince !== undefined && (
        <p>
          Nothing that the driver's phone sends is accepted, since <Moment at={job.refusedSince} />.
        </p>
      )}
      <dl className={styles.facts}>
        <Vehicle snapshot={snapshot} age={age} />
        <Registered job={job} />
      </dl>
    </section>
  );
}

/** As the board's list has it, where what is amiss comes first. */
function stateOf(job: Job, snapshot: JobSnapshot) {
  const { state, epoch, driver = null } = job;
  if (state !== "open") return "ended";
  const [row] = rowsOf([], [{ ...job, state, epoch: epoch ?? 0, driver }], new Map([[job.jobId, snapshot]]), true);
  // Of one whose positions are not known yet the list of jobs alone would tell.
  return row === undefined || row.state === "listed" ? snapshot.status : row.state;
}

/** @param isNews whether the page was another one before, whose focus went with it */
function Closed({ job, initial, isNews }: { job: Job; initial: FirstState | null; isNews: boolean }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (isNews) heading.current?.focus();
  }, [isNews]);
  return (
    <section className="card" aria-label="State">
      <h2 className={styles.status} data-status="ended" ref={heading} tabIndex={-1}>
        <span aria-hidden="true">{SIGNS.ended}</span> Closed: {REASONS[job.reason ?? ""] ?? "over"}
      </h2>
      <p>
        {job.closedAt !== undefined && (
          <>
            Since <Moment at={job.closedAt} />, and for ever.{" "}
          </>
        )}
        Driver, customers and links see nothing of it any more. For dispatchers its trail remains until its time is over: look at it, or save it.
      </p>
      <dl className={styles.facts}>
        <Vehicle snapshot={initialSnapshot(job.jobId, initial ?? undefined)} age={undefined} />
        <Registered job={job} />
      </dl>
    </section>
  );
}

function Vehicle({ snapshot: { status, position, lastHeard }, age }: { snapshot: JobSnapshot; age: number | undefined }) {
  return (
    <>
      <Fact name="Position">
        {position ? degrees(position) : "none"}
        {position?.accuracy !== undefined && `, ${within(position.accuracy)}`}
      </Fact>
      {position && age !== undefined && (
        <Fact name="Age">{ago(age, position.clock === "ahead")}</Fact>
      )}
      {position && age === undefined && (
        <Fact name="Position of">
          <Moment at={position.capturedAt} />
        </Fact>
      )}
      {status === "live" && position?.speed !== undefined && <Fact name="Speed">{pace(position.speed)}</Fact>}
      {lastHeard !== undefined && (
        <Fact name="Last heard">
          <Moment at={lastHeard} />
        </Fact>
      )}
    </>
  );
}

function Registered({ job }: { job: Job }) {
  const { driver, customers = [], dispatchId, startsAt, endsAt, version } = job;
  const nameOf = useNames();
  const gate = gateOf(job);
  const links = customers.filter(isLink).length;
  const people = customers.filter((id) => !isLink(id)).map(nameOf);
  return (
    <>
      <Fact name="Driver">{driver ? nameOf(driver) : "nobody"}</Fact>
      <Fact name="Customers">
        {people.join(", ") || "nobody"}
        {links > 0 && `, and ${links} by link`}
      </Fact>
      {dispatchId && <Fact name="Dispatch">{dispatchId}</Fact>}
      {startsAt !== undefined && (
        <Fact name="Begins">
          <Moment at={startsAt} />
        </Fact>
      )}
      <Fact name="Ends">
        <Moment at={endsAt} />
      </Fact>
      {gate && <Fact name="Customers see it">{gate.openedAt === undefined ? "not yet" : <>since <Moment at={gate.openedAt} /></>}</Fact>}
      <Fact name="Version">{version}</Fact>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
