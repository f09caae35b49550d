// A link's code becomes a session of its one job. Only by a POST after a tap: what fetches a link to preview it opens nothing.

import type { Guest } from "@/session/guest";
import { identify } from "@/session/identity";
import { linkKey, openLink } from "@/session/link";
import { secret } from "@/session/jwt";
import { isSameOrigin } from "@/session/same-origin";
import { sessionToken, startGuestSession } from "@/session/session";
import { job } from "@/towline/api";
import type { Opening } from "./opening";

/** Always a 200: that a link is of no use is nothing gone wrong, and no error on a console. */
const answer = (opening: Opening) => Response.json(opening);

/** @param request with `{code, instead?}`: the id of whom it is opened instead of, where somebody is signed in */
export async function POST(request: Request) {
  if (!isSameOrigin(request)) return new Response("This page is another site's.", { status: 403 });
  const { code, instead } = Object(await request.json().catch(() => undefined));
  const opened = typeof code === "string" ? openLink(linkKey(secret()), code) : undefined;
  if (opened === undefined) return answer({ is: "wrong" });
  const { jobId, link } = opened;
  const guest: Guest = { id: link, role: "customer", name: "Guest", job: jobId };

  // Towline knows whether the link still holds.
  const there = await job(await sessionToken(guest), jobId);
  if (!there.ok && there.name === "job_closed") return answer({ is: "ended" });
  if (!there.ok && there.name === "not_a_participant") return answer({ is: "revoked" });
  if (!there.ok) return answer({ is: "unreachable" });

  const present = await identify();
  const isSignedIn = present !== undefined && !("job" in present);
  if (isSignedIn && present.id !== instead) return answer({ is: "signed_in", id: present.id, name: present.name });
  await startGuestSession(guest);
  return answer({ is: "open", page: `/jobs/${encodeURIComponent(jobId)}` });
}
