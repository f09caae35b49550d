// What the driver's page says, in words, in one place.

import type { DriverState } from "@towline/client/driver";
import { span } from "@/ui/status";
import type { Missing, Reception } from "./receiver";
import type { Screen } from "./use-wake-lock";

export interface Said {
  tone: "good" | "warn" | "bad" | "muted";
  /** The state: what is worth an announcement when it changes. */
  title: string;
  /** What it means, or how old it is. */
  more?: string;
}

/** Receivers tell of a phone that stands about each second, and after 15 s without they are asked anew. */
const LOST_MS = 30_000;
/** What a phone gives that hides where exactly it is is off by kilometres. */
const APPROXIMATE_M = 1_000;
/** What comes from masts and networks, and not from satellites. */
const ROUGH_M = 100;
/** From that on it is rough no more: so that what is near the bound is not told again and again. */
const FINE_M = 80;

/** @param was whether it was rough before */
export const isRough = (accuracy: number, was: boolean) => accuracy > (was ? FINE_M : ROUGH_M);

const MISSING: Record<Missing, Said> = {
  insecure: { tone: "bad", title: "No location over http", more: "Browsers tell a page where you are over https only. Open this page by its https address." },
  unsupported: { tone: "bad", title: "No location in this browser", more: "Open this page in Safari, Chrome or Firefox on your phone." },
  forbidden: { tone: "bad", title: "This site forbids itself your location", more: "Its Permissions-Policy has to allow geolocation. Tell whoever runs it." },
};

export function position(permission: DriverState["permission"], { missing, since, at, accuracy }: Reception, now: number, wasRough: boolean): Said {
  if (missing) return MISSING[missing];
  if (permission === "denied") return { tone: "bad", title: "You have not allowed your location", more: "Nothing is shared." };
  if (at === undefined) {
    if (permission === "prompt") return { tone: "warn", title: "Allow your location", more: "Your browser asks for it now." };
    const waited = now - (since ?? now);
    if (waited < LOST_MS) return { tone: "muted", title: "Looking for your position" };
    return { tone: "warn", title: "No position yet", more: `Looking for ${span(waited)}. Indoors and underground there may be none: it comes once you see the sky.` };
  }
  if (now - at >= LOST_MS) return { tone: "warn", title: "Position lost", more: `The last one came ${span(now - at)} ago. It is looked for all the time.` };
  if (accuracy === undefined) return { tone: "good", title: "Position known" };
  const within = accuracy < 1_000 ? `${Math.max(1, Math.round(accuracy))} m` : `${Math.round(accuracy / 1_000)} km`;
  if (accuracy > APPROXIMATE_M) return { tone: "warn", title: "Approximate position only", more: `It may be ${within} off: your customer sees about which town you are in, and not the street.` };
  if (isRough(accuracy, wasRough)) return { tone: "warn", title: "Rough position", more: `It may be ${within} off.` };
  return { tone: "good", title: "Position known", more: `To within ${within}.` };
}

/** What was not taken for so long is said not to be sent. */
const LATE_MS = 15_000;

/** What becomes of the position of a driver on duty: in words before the job's name, and after it. */
export function headline(state: DriverState | undefined, { missing, at }: Reception, now: number): [before: string, after?: string] {
  if (missing || state?.permission === "denied") return ["Your position is not shared. You are on duty for"];
  if (at === undefined || now - at >= LOST_MS) return ["Looking for your position, to share it for"];
  const { oldestAt = now, lastSentAt = 0 } = state ?? {};
  if (now - Math.max(oldestAt, lastSentAt) >= LATE_MS) return ["Recording your position for", ". It is not sent yet."];
  return ["Sharing your position for"];
}

const count = (n: number) => (n === 1 ? "1 position waits" : `${n.toLocaleString("en")} positions wait`);

/** Why the service does not take what waits. */
const HELD: Record<string, string> = {
  origin_not_allowed: "Towline does not take posts from this site: its CORS_ORIGINS has to have the site's address. Tell whoever runs it.",
  not_a_participant: "Towline does not know you as this job's driver. Ask your dispatcher.",
  misconfigured: "Towline is not set up right. Tell whoever runs it.",
  trail_full: "This job has as many positions as it may have. Ask your dispatcher.",
};

export function queue({ waiting, oldestAt, sending, heldBy, durable, lastSentAt }: DriverState, now: number): Said {
  const sent = lastSentAt === undefined ? undefined : `Last sent ${span(now - lastSentAt)} ago.`;
  if (waiting === 0) return { tone: "good", title: "Nothing waits to be sent", ...(sent && { more: sent }) };
  const title = oldestAt === undefined ? count(waiting) : `${count(waiting)}, the oldest ${span(now - oldestAt)}`;
  const kept = durable ? "They are kept on this phone" : "They are kept in this page alone, as the browser gives no storage: do not close it";
  if (sending === "held") return { tone: "bad", title, more: `${HELD[heldBy ?? ""] ?? `Towline refuses them: ${heldBy}.`} ${kept}, and tried again every few minutes.` };
  const goes = sending === "sending" ? "They are being sent" : "They will be sent when there is a network";
  return { tone: durable ? (sending === "sending" ? "muted" : "warn") : "bad", title, more: `${goes}. ${kept}.` };
}

export const SCREEN: Record<Screen, Said> = {
  kept: { tone: "good", title: "Your screen stays on", more: "Keep the phone charging: screen and GPS use the battery." },
  refused: { tone: "warn", title: "Your screen may lock by itself", more: "The phone does not let this page keep it on, to save its battery perhaps. Charge it, or set it to lock later." },
  unsupported: { tone: "warn", title: "Your screen may lock by itself", more: "This browser cannot keep it on. Set the phone to lock later." },
};

/** What became of a job that was shared for. */
export const GONE = {
  reassigned: "is another driver’s now",
  job_closed: "is over",
  not_yours: "is not yours any more",
  /** Nobody could be asked why. */
  not_listed: "is not on your list any more",
};
