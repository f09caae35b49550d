import type { Metadata } from "next";
import { randomBytes } from "node:crypto";
import { PEOPLE } from "@/session/people";
import { signedIn } from "@/session/session";
import { openJobs } from "@/towline/api";
import { AsLoaded } from "@/ui/as-loaded";
import { NamesProvider } from "@/ui/names";
import { Page } from "@/ui/page";
import { Board } from "./board";
import { NewJob } from "./new-job-form";
import { isFilter } from "./rows";

export const metadata: Metadata = { title: "Board" };

export default async function BoardPage({ searchParams }: { searchParams: Promise<{ q?: string | string[]; show?: string | string[] }> }) {
  const session = await signedIn("/board", "dispatcher");
  const [{ jobs, isWhole }, { q, show }] = await Promise.all([openJobs(session.token), searchParams]);
  return (
    <Page session={session} title="Board" wide>
      <AsLoaded />
      <NamesProvider people={PEOPLE}>
        <Board
          key={session.user.id}
          rendered={jobs}
          isWhole={isWhole}
          now={Date.now()}
          text={typeof q === "string" ? q : ""}
          filter={typeof show === "string" && isFilter(show) ? show : "all"}
        >
          <NewJob name={`job-${randomBytes(3).toString("hex")}`} />
        </Board>
      </NamesProvider>
    </Page>
  );
}
