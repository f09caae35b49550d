import { ably } from "../../../ably.js";
import { getSession } from "../../../session.js";

export const dynamic = "force-dynamic";

/** @param {Request} request */
export async function GET(request) {
  const session = await getSession(request);
  if (!session) return Response.json({ error: "unauthorized" }, { status: 401 });
  /** @type {Record<string, ("subscribe")[]>} */
  const capability = {};
  for (const job of /** @type {string[]} */ (session.jobs)) capability[`dispatch:job:${job}`] = ["subscribe"];
  const tokenRequest = await ably.auth.createTokenRequest({ clientId: session.sub, capability });
  return Response.json(tokenRequest);
}
