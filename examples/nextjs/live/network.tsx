"use client";

import type { Connection } from "@towline/client";
import { useConnection } from "@towline/client/react";
import { usePathname } from "next/navigation";

/** Why the client has stopped for good, where somebody has to be told. `/session` makes the session anew where whoever it is may have one. */
function stopped(reason: Connection["reason"], path: string): { said: string; link: string; to: string } | undefined {
  switch (reason) {
    case "signed_out":
      return { said: "You are signed out.", link: "Sign in", to: "/sign-in" };
    case "another_user":
      return { said: "Somebody else has signed in in this browser, so nothing is shown here any more.", link: "Go to their page", to: "/" };
    case "session_ended":
      return { said: "You are signed out.", link: "Sign in again", to: `/session?to=${encodeURIComponent(path)}` };
    case "refused":
      return { said: "This page may not be shown to you any more.", link: "Start again", to: "/" };
    default:
      return undefined;
  }
}

/** Says when what is shown may be old as the connection is lost, unless `quiet`, and when it is not anybody's any more. */
export function Network({ quiet }: { quiet: boolean }) {
  const { state, reason } = useConnection();
  const path = usePathname();
  const end = state === "stopped" ? stopped(reason, path) : undefined;
  if (end) {
    return (
      <div className="notice" role={reason === "signed_out" ? "status" : "alert"}>
        <p>{end.said}</p>
        <a className="button" href={end.to}>
          {end.link}
        </a>
      </div>
    );
  }
  return (
    <p className="notice" role="status">
      {!quiet && state === "offline" && "No live connection. Trying again: what you see may be out of date."}
    </p>
  );
}
