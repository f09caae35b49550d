"use client";

import { useTowline } from "@towline/client/react";
import { endSession } from "./session";

const left = (count: number) => confirm(`${count || "Some"} positions could not be sent. Sign out and delete them?`);

/**
 * Signs out in all tabs, once what a driver has still to send has left, or was given up. Without a script the form does without.
 * @param isGuest whether they have come by a link, and have no account to sign in with
 */
export function SignOut({ isGuest }: { isGuest: boolean }) {
  const towline = useTowline();
  return (
    <form
      method="post"
      action="/session/sign-out"
      onSubmit={(event) => {
        if (towline === undefined) return;
        event.preventDefault();
        towline.signOut({ endSession, left, to: isGuest ? "/t" : "/sign-in" }).catch(() => alert("This site cannot be reached, so you are still signed in. Try again later."));
      }}
    >
      <button className="quiet">{isGuest ? "Leave" : "Sign out"}</button>
    </form>
  );
}
