// What only the page can know of a set-up that is not right yet: said once each, and on a developer's own machine alone.

import type { Answer } from "../client/types.ts";

const HINTS = {
  "not towline": "What answers /api is not Towline: does the page's server pass /api on, by a rewrite or proxy, and does Towline run there?",
  "no ably": "Ably is not reached, or takes no token of Towline's. With `npm start`, `ablyOptions` is what .towline/dev.json has as `ably`, without `key`.",
};

type About = keyof typeof HINTS;

const done = new Set<About>();

/** Says what may be wrong, unless it was said, or has worked in this page. */
export function hint(about: About): void {
  if (done.has(about) || !/^(localhost|127\.|\[::1)/.test(String(globalThis.location?.hostname))) return;
  works(about);
  console.warn(`@towline/client: ${HINTS[about]} See docs/first-hour.md`);
}

/** It has worked, so what fails later is no matter of the set-up. */
export function works(about: About): void {
  done.add(about);
}

/** Says so where it is not Towline that has answered: what that refuses has a type. */
export function hintOf(answer: Answer<unknown>): void {
  if (answer.is === "again" && answer.status !== undefined && answer.type === undefined) hint("not towline");
}
