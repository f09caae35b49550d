"use client";

import { useId, useState } from "react";
import { utcMinute } from "./minute";
import { useMounted } from "./time";

const localMinute = (utc: string) => {
  const at = new Date(`${utc}Z`);
  return utc && utcMinute(at.getTime() - at.getTimezoneOffset() * 60_000);
};

/** A time that a form sends in UTC, and that is read and written in the time zone of whoever fills it in; in UTC where there is no script. */
export function TimeField({ name, label, defaultValue, describedBy }: { name: string; label: string; defaultValue: string; describedBy?: string | undefined }) {
  const id = useId();
  const isLocal = useMounted();
  const [utc, setUtc] = useState(defaultValue);
  return (
    <>
      <label htmlFor={id}>{isLocal ? label : `${label} (UTC)`}</label>
      {isLocal ? (
        <>
          <input
            id={id}
            type="datetime-local"
            required
            value={localMinute(utc)}
            onChange={({ target }) => setUtc(target.value && utcMinute(new Date(target.value).getTime()))}
            aria-describedby={describedBy}
          />
          <input type="hidden" name={name} value={utc} />
        </>
      ) : (
        <input id={id} type="datetime-local" required name={name} defaultValue={utc} aria-describedby={describedBy} />
      )}
    </>
  );
}
