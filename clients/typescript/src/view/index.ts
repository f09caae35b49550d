// What the other rooms use of the view.

export { ageMs, initialSnapshot, STALE_AFTER_MS } from "./initial.ts";
export { type LiveJob, liveJob } from "./job.ts";
export { ask, begin, points, reduce, type State } from "./reduce.ts";
export { show, staleAt } from "./show.ts";
