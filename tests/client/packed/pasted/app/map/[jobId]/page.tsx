// What README's one line stands in.

import { notFound } from "next/navigation";
import { session } from "../../session";
import { VehicleMap } from "../../vehicle-map";

export default async function MapPage({ params }: { params: Promise<{ jobId: string }> }) {
  const { jobId } = await params;
  const signedIn = await session();
  if (signedIn === undefined) notFound();
  return <VehicleMap user={signedIn.user} jobId={jobId} />;
}
