// A page with React and Ably.

import { createTowline, type FirstState } from "@towline/client";
import { TowlineProvider, useJob } from "@towline/client/react";
import { useState } from "react";

export function Page({ user, initial }: { user: string; initial: FirstState }) {
  const [towline] = useState(() => createTowline({ url: "", cookies: true, user, ably: () => import("ably") }));
  return (
    <TowlineProvider towline={towline}>
      <Job initial={initial} />
    </TowlineProvider>
  );
}

function Job({ initial }: { initial: FirstState }) {
  const { status, position } = useJob(initial.jobId, { initial });
  return <p>{position === undefined ? status : `${position.lat} ${position.lng}`}</p>;
}
