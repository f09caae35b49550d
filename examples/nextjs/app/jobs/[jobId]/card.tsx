import type { JobSnapshot } from "@towline/client";
import type { ReactNode } from "react";
import { seenAs, SIGNS } from "@/ui/status";
import styles from "./card.module.css";
import type { Fact } from "./facts";
import { type By, words } from "./words";

export interface JobCardProps {
  job: JobSnapshot;
  facts: readonly Fact[];
  by: By;
  /** Between what is said and what is known: a map, where there is something to show. */
  map?: ReactNode;
  /** What there is to do. */
  children?: ReactNode;
}

/** What a customer sees of a job, in any state. */
export function JobCard({ job, facts, by, map, children }: JobCardProps) {
  const status = seenAs(job);
  const { short, heading, meaning } = words(job, by);
  return (
    <article className={map ? styles.withMap : styles.alone} data-status={status}>
      <header className={`card ${styles.said}`}>
        <p role="status" className={styles.badge}>
          <span aria-hidden="true">{SIGNS[status]}</span> {short}
        </p>
        <h2>{heading}</h2>
        <p>{meaning}</p>
      </header>
      {map}
      {(facts.length > 0 || children) && (
        <div className={`${facts.length > 0 ? "card" : ""} ${styles.known}`}>
          {facts.length > 0 && (
            <dl>
              {facts.map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          )}
          {children}
        </div>
      )}
    </article>
  );
}
