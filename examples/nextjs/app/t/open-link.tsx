"use client";

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { driverCookie, driverOf } from "../drive/offline/driver-cookie";
import { endDuty } from "@/live/duty";
import type { Opening } from "../session/link/opening";

const onHash = (changed: () => void) => {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
};

/** What the link has behind its `#`; nothing on a server, which never gets it. */
const useCode = () => useSyncExternalStore(onHash, () => location.hash.slice(1), () => undefined);

async function open(code: string, instead: string | undefined): Promise<Opening> {
  try {
    const answer = await fetch("/session/link", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code, instead }),
    });
    return answer.ok ? await answer.json() : { is: "unreachable" };
  } catch {
    return { is: "unreachable" };
  }
}

const NO_USE = {
  none: ["Open the link that you were sent", "It has to be all of it, up to its end. If it does not work any more, ask whoever has sent it for a new one."],
  wrong: ["This link is not whole", "Something of it is missing or was changed on its way. Copy all of it, or ask whoever has sent it for a new one."],
  revoked: ["This link does not work any more", "Whoever shared it has ended that. Ask them for a new one."],
  ended: ["This job is over", "The link has ended with it, and there is nothing more to see."],
} as const;

export function OpenLink() {
  const code = useCode();
  // Another link in the same tab begins anew.
  return code === undefined ? null : <Opener key={code} code={code} />;
}

function Opener({ code }: { code: string }) {
  const [opening, setOpening] = useState<Opening | { is: "none" } | undefined>(code === "" ? { is: "none" } : undefined);
  const [isAsking, setAsking] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (opening !== undefined) heading.current?.focus();
  }, [opening]);

  const show = async (instead?: string) => {
    setAsking(true);
    const answer = await open(code, instead);
    // In the place of this page, so that the code does not stay in the history.
    if (answer.is === "open") {
      // Whoever was signed in is not any more.
      endDuty();
      return location.replace(answer.page);
    }
    setOpening(answer);
    setAsking(false);
  };

  if (opening?.is === "none" || opening?.is === "wrong" || opening?.is === "revoked" || opening?.is === "ended") {
    const [title, text] = NO_USE[opening.is];
    return (
      <>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <p>{text}</p>
      </>
    );
  }
  if (opening?.is === "signed_in") {
    const told = driverCookie();
    const isDriver = told !== null && driverOf(told).id === opening.id;
    return (
      <>
        <h1 ref={heading} tabIndex={-1}>
          You are signed in as {opening.name}
        </h1>
        <p>This browser has room for one person. To show you the vehicle it has to sign {opening.name} out, here and in its other tabs.</p>
        {isDriver && <p>{opening.name} shares no more positions from here then. Those that still wait to be sent stay on this phone until {opening.name} signs in again.</p>}
        <p className="row">
          <button className="primary" disabled={isAsking} onClick={() => show(opening.id)}>
            Sign out and show it
          </button>
          <a className="button" href="/">
            Stay signed in
          </a>
        </p>
      </>
    );
  }
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        Somebody wants to show you where a vehicle is
      </h1>
      <p>You see its position for as long as the job goes on. Nobody sees yours.</p>
      {opening?.is === "unreachable" && (
        <p className="notice" role="alert">
          The server cannot be reached just now. Try again in a moment.
        </p>
      )}
      <p>
        <button className="primary" disabled={isAsking} onClick={() => show()}>
          Show it
        </button>
      </p>
    </>
  );
}
