"use client";

import styles from "./job-filter.module.css";
import { answerable, type Filter, FILTERS, isFilter } from "./rows";

export interface JobFilterProps {
  /** How many jobs are found, of how many; undefined where that is not known. */
  count: number;
  all: number | undefined;
  /** Whether the positions of all jobs come. */
  hasViews: boolean;
  text: string;
  /** What was asked for; see `answerable`. */
  filter: Filter;
  onText: (text: string) => void;
  onFilter: (filter: Filter) => void;
}

/** Looks for jobs as somebody types; without a script it is sent to the server. */
export function JobFilter({ count, all, hasViews, text, filter, onText, onFilter }: JobFilterProps) {
  const filters = Object.entries(FILTERS).filter(([, { needsViews }]) => hasViews || !needsViews);
  return (
    <form className={styles.filter} role="search" action="/board" onSubmit={(event) => event.preventDefault()}>
      <h2 id="jobs" tabIndex={-1}>
        Open jobs {all !== undefined && <span className={styles.count}>{count === all ? all : `${count} of ${all}`}</span>}
      </h2>
      <input type="search" name="q" aria-label="Find a job or driver" placeholder="Job or driver" autoComplete="off" value={text} onChange={(event) => onText(event.target.value)} />
      <select name="show" aria-label="Which jobs" value={answerable(filter, hasViews)} onChange={({ target: { value } }) => isFilter(value) && onFilter(value)}>
        {filters.map(([name, { label }]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
      <noscript>
        <button>Show</button>
      </noscript>
    </form>
  );
}
