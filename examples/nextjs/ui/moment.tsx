"use client";

import { clockTime, useMounted } from "./time";

const utc = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });

/** A time: in the zone of whoever looks, and in UTC in the HTML of a server, which knows nobody's. @param at Unix milliseconds */
export function Moment({ at }: { at: number }) {
  const isLocal = useMounted();
  return <time dateTime={new Date(at).toISOString()}>{isLocal ? clockTime(at) : `${utc.format(at)} UTC`}</time>;
}
