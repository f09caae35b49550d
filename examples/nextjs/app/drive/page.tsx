import type { Metadata } from "next";
import { signedIn } from "@/session/session";
import { ownJobs } from "@/towline/api";
import { Page } from "@/ui/page";
import { Drive } from "./drive";

export const metadata: Metadata = { title: "Drive" };

export default async function DrivePage() {
  const session = await signedIn("/drive", "driver");
  const { jobs, isWhole } = await ownJobs(session.token);
  return (
    <Page session={session} title="Drive">
      <noscript>
        <p className="notice">This page needs JavaScript: without it, it cannot know where you are.</p>
      </noscript>
      <Drive user={session.user.id} initial={isWhole ? jobs : undefined} />
    </Page>
  );
}
