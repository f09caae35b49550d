import { ablyOptions } from "@/live/ably-options";
import type { Session } from "@/session/session";
import { Frame, type FrameProps } from "./frame";

export interface PageProps extends Pick<FrameProps, "title" | "wide" | "quiet" | "children"> {
  session: Session;
}

/** What stands around each page of somebody who is signed in. */
export function Page({ session: { user }, ...page }: PageProps) {
  const isGuest = "job" in user;
  const home = isGuest || user.role === "driver" ? undefined : "/";
  return <Frame user={{ id: user.id, name: user.name }} isGuest={isGuest} home={home} ablyOptions={ablyOptions()} {...page} />;
}
