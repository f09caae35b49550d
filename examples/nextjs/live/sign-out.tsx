"use client";

import { useTowline } from "@towline/client/react";
import { endSession } from "./session";

const left = (count: number) => confirm(`${count || "Some"} positions could not be sent. Sign out and delete them?`);

/** Signs out in all tabs, once what a driver has still to send has left, or was given up. Without a script the form does without. */
export function SignOut({ label }: { label: string }) {
  const towline = useTowline();
  return (
    <form
      method="post"
      action="/session/sign-out"
      onSubmit={(event) => {
        if (towline === undefined) return;
        event.preventDefault();
        towline.signOut({ endSession, left, to: "/sign-in" }).catch(() => alert("There is no connection, so you are still signed in. Try again later."));
      }}
    >
      <button className="quiet">{label}</button>
    </form>
  );
}
