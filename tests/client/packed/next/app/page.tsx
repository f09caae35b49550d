// Rendered on the server, with a first state that it would ask for there.

import type { FirstState } from "@towline/client";
import { Page } from "./job";

export const dynamic = "force-dynamic";

export default async function Home() {
  const now = Date.now();
  const initial: FirstState = { jobId: "job-1", epoch: 1_700_000_000, seq: 3, fromSeq: 3, lat: 48.25, lng: 16.5, ts: now, capturedAt: now, now, ageMs: 0 };
  return <Page user="ann" initial={initial} />;
}
