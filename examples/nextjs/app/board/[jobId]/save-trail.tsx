"use client";

import { type MouseEvent, useState } from "react";

/** How long it is waited for a first answer. */
const PATIENCE_MS = 15_000;

/** A file that is not to be had would take the page away, with all that is typed there: so it is asked first whether it is. */
async function isThere(file: string): Promise<boolean> {
  try {
    return (await fetch(file, { method: "HEAD", signal: AbortSignal.timeout(PATIENCE_MS) })).ok;
  } catch {
    return false;
  }
}

/** Links to a job's whole trail, as files. */
export function SaveTrail({ jobId }: { jobId: string }) {
  const [said, say] = useState("");
  const save = async (event: MouseEvent<HTMLAnchorElement>) => {
    event.preventDefault();
    const { href } = event.currentTarget;
    say("Asking for it …");
    const canBeHad = await isThere(href);
    say(canBeHad ? "" : "It cannot be had just now: there is no answer. Try again in a moment.");
    if (canBeHad) location.assign(href);
  };
  return (
    <>
      <p className="row">
        Save the whole trail:
        <a className="button" href={`/board/${jobId}/trail?format=gpx`} onClick={save}>
          GPX
        </a>
        <a className="button" href={`/board/${jobId}/trail?format=geojson`} onClick={save}>
          GeoJSON
        </a>
      </p>
      <p role="status">{said}</p>
    </>
  );
}
