// A page with neither React nor Ably.

import { ageMs, createTowline, type JobSnapshot, watchJob } from "@towline/client";

const towline = createTowline({ url: "", cookies: true, user: "ann" });
const job = watchJob(towline, "job-1");

export const stop = job.subscribe(() => show(job.get()));

function show(snapshot: JobSnapshot) {
  const { status, position } = snapshot;
  // @ts-expect-error: there is not always a position
  position.lat;
  // @ts-expect-error: no such status
  if (status === "gone") return;
  document.title = position === undefined ? status : `${position.lat} ${position.lng}, ${ageMs(snapshot, towline.clock.now())} ms`;
}
