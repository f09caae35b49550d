import type { Metadata } from "next";
import { connection } from "next/server";
import { ablyOptions } from "@/live/ably-options";
import { OfflineDrive } from "./offline-drive";

export const metadata: Metadata = { title: "Drive" };

/** The driver's page as `public/sw.js` keeps it for where there is no network. It is the same for everybody: whose it is, it finds out there. */
export default async function OfflinePage() {
  // Where Ably is, the server knows that runs, and not the one that has built it.
  await connection();
  return <OfflineDrive ablyOptions={ablyOptions()} />;
}
