import { ably } from "../../../../../ably.js";
import { getSession } from "../../../../../session.js";

/**
 * @param {Request} request
 * @param {{ params: Promise<{ jobId: string }> }} context
 */
export async function POST(request, { params }) {
  const session = await getSession(request);
  if (!session) return Response.json({ error: "unauthorized" }, { status: 401 });
  const { jobId } = await params;
  if (session.role !== "driver" || !(/** @type {string[]} */ (session.jobs).includes(jobId))) {
    return Response.json({ error: "forbidden" }, { status: 403 });
  }
  const { lat, lng, speed, heading, capturedAt } = await request.json();
  if (typeof lat !== "number" || typeof lng !== "number") return Response.json({ error: "invalid location" }, { status: 400 });
  await ably.channels.get(`dispatch:job:${jobId}`).publish("location.updated", { jobId, lat, lng, speed, heading, capturedAt });
  return Response.json({ ok: true });
}
