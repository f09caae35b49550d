"use client";

// The tab's one client, around everything that somebody who is signed in sees.

import { type AblyOptions, createTowline } from "@towline/client";
import { TowlineProvider } from "@towline/client/react";
import type { ReactNode } from "react";
import { Whose } from "./form";
import { Network } from "./network";
import { Own } from "./own";
import { renewSession } from "./session";

export interface LiveProps {
  user: string;
  /** Where Ably is, if it is not Ably itself. */
  ablyOptions: AblyOptions | undefined;
  /** Whether the page itself says when what it shows is out of date. */
  quiet: boolean;
  children: ReactNode;
}

export function Live({ user, ablyOptions, quiet, children }: LiveProps) {
  const towline = createTowline({ url: "", cookies: true, user, renewSession, ably: () => import("ably"), ...(ablyOptions && { ablyOptions }) });
  return (
    // With another user all begins anew: what is typed, chosen and shown on a page is one user's.
    <TowlineProvider key={user} towline={towline}>
      <Whose value={user}>
        <Network quiet={quiet} />
        <Own>{children}</Own>
      </Whose>
    </TowlineProvider>
  );
}
