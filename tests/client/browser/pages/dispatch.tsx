// A dispatcher's page: the board, who is on duty, and what there is to know.

import { StrictMode } from "react";
import { goOnDuty } from "../../../../clients/typescript/src/index.ts";
import { TowlineProvider, useBoard, useConnection, useNotifications, useOnDuty } from "../../../../clients/typescript/src/react/index.ts";
import { client, start, told } from "./start.ts";

declare global {
  /** Goes on duty, and returns when that was begun; `offDuty` ends it. */
  var beOnDuty: (duty: string) => void;
  var offDuty: () => void;
}

const towline = client(told());
globalThis.beOnDuty = (duty) => void (globalThis.offDuty = goOnDuty(towline, { role: "dispatcher", duty }));

function Dispatch() {
  const { status, jobs, views } = useBoard();
  const { items, missed } = useNotifications();
  return (
    <>
      <p id="connection">{useConnection().state}</p>
      <p id="board">{status}</p>
      {jobs.map(({ jobId, driver }) => (
        <p key={jobId} data-job={jobId}>
          {driver} {views.get(jobId)?.status} at {views.get(jobId)?.position?.lat}
        </p>
      ))}
      <p id="duty">{useOnDuty().map(({ userId, role, duty }) => `${userId} ${role} ${duty}`).join(", ")}</p>
      <p id="news">{items.map(({ id }) => id).join(", ")}</p>
      <p id="missed">{missed}</p>
    </>
  );
}

start(
  <StrictMode>
    <TowlineProvider towline={towline}>
      <Dispatch />
    </TowlineProvider>
  </StrictMode>,
);
