// Jobs and where their vehicles are, as a page shows them: on the server and in the browser.

import { StrictMode, useEffect, useState } from "react";
import { flushSync } from "react-dom";
import type { FirstState } from "../../../../clients/typescript/src/index.ts";
import { TowlineProvider, useConnection, useJob, useTrail } from "../../../../clients/typescript/src/react/index.ts";
import type { Config } from "../support/site.ts";
import { client } from "./start.ts";

/** What was rendered of a job at a time. */
export interface Shown {
  job: string;
  status: string;
  epoch: number | undefined;
  /** The tests post fixes whose latitudes grow. */
  lat: number | undefined;
  capturedAt: number | undefined;
  /** Seqs. */
  trail: number[];
}

declare global {
  /** Everything that was rendered in this document, in order. */
  var shown: Shown[];
  /** Changes which jobs the page shows, before it returns. */
  var show: (...jobs: string[]) => void;
}

globalThis.shown = [];

export function page(config: Config) {
  return (
    <StrictMode>
      <Watching {...config} />
    </StrictMode>
  );
}

function Watching(config: Config) {
  const { jobs: first, initial = {} } = config;
  const [jobs, setJobs] = useState(first);
  useEffect(() => {
    globalThis.show = (...jobs) => flushSync(() => setJobs(jobs));
  }, []);
  // Made at each rendering, as one may. The jobs by their place: a component that is there already gets another one.
  return (
    <TowlineProvider towline={client(config)}>
      <Link />
      {jobs.map((job, place) => (
        <Job key={place} job={job} initial={initial[job] as FirstState | undefined} />
      ))}
    </TowlineProvider>
  );
}

function Link() {
  return <p id="connection">{useConnection().state}</p>;
}

function Job({ job, initial }: { job: string; initial: FirstState | undefined }) {
  const { status, epoch, position } = useJob(job, initial && { initial });
  const trail = useTrail(job).map(({ seq }) => seq);
  if (typeof window === "object") shown.push({ job, status, epoch, lat: position?.lat, capturedAt: position?.capturedAt, trail });
  return (
    <p data-job={job}>
      {status} {position === undefined ? "nowhere" : `at ${position.lat} ${position.lng}`}, {trail.length} points
    </p>
  );
}
