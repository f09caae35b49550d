"use client";

import type { AblyOptions } from "@towline/client";
import { useMemo, useSyncExternalStore } from "react";
import { Frame } from "@/ui/frame";
import { Drive } from "../drive";
import { driverCookie, driverOf } from "./driver-cookie";

const never = () => () => {};

/** Records and sends as the page does that it stands in for; the driver's jobs it has to ask for. */
export function OfflineDrive({ ablyOptions }: { ablyOptions: AblyOptions | undefined }) {
  // Undefined as long as it is hydrated: the same for everybody.
  const told = useSyncExternalStore(never, driverCookie, () => undefined);
  const user = useMemo(() => (told ? driverOf(told) : undefined), [told]);
  if (user) {
    return (
      <Frame user={user} ablyOptions={ablyOptions} title="Drive">
        <Drive user={user.id} initial={undefined} />
      </Frame>
    );
  }
  return (
    <main>
      <h1>Drive</h1>
      {told === null && (
        <p className="notice">
          There is no connection, and no driver is signed in on this phone. <a href="/drive">Try again</a>
        </p>
      )}
    </main>
  );
}
