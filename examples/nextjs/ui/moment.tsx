"use client";

import { utcText } from "./minute";
import { clockTime, useMounted } from "./time";

/**
 * A time: in the zone of whoever looks, and in UTC in the HTML of a server, which knows nobody's. That is the browser's first text, too, and so not
 * left to `Intl`, where browsers differ. @param at Unix milliseconds
 */
export function Moment({ at }: { at: number }) {
  const isLocal = useMounted();
  return <time dateTime={new Date(at).toISOString()}>{isLocal ? clockTime(at) : utcText(at)}</time>;
}
