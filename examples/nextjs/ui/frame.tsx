import type { AblyOptions } from "@towline/client";
import Link from "next/link";
import type { ReactNode } from "react";
import { Live } from "@/live/live";
import { SignOut } from "@/live/sign-out";

export interface FrameProps {
  user: { id: string; name: string };
  /** Whether they have come by a link to one job. */
  isGuest?: boolean;
  /** Where their pages begin. Left out where this is their only one: a link, tapped where there is no network, would lead away from it. */
  home?: string | undefined;
  ablyOptions: AblyOptions | undefined;
  title: string;
  wide?: boolean;
  /** Whether the page itself says when what it shows is out of date. */
  quiet?: boolean;
  children: ReactNode;
}

/** What stands around a page, also one that is shown without a server. */
export function Frame({ user, isGuest = false, home, ablyOptions, title, wide = false, quiet = false, children }: FrameProps) {
  return (
    <Live user={user.id} ablyOptions={ablyOptions} quiet={quiet}>
      <header className="bar">
        {home === undefined ? (
          <span className="brand">Towline</span>
        ) : (
          <Link className="brand" href={home} prefetch={false}>
            Towline
          </Link>
        )}
        <h1>{title}</h1>
        <span className="who">{user.name}</span>
        <SignOut isGuest={isGuest} />
      </header>
      <main className={wide ? "wide" : undefined}>{children}</main>
    </Live>
  );
}
