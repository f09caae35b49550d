// What a customer is told of a job, in sentences. Nothing here grows old by itself, so that only a change of state is a change of words.

import type { JobSnapshot, PhoneState } from "@towline/client";
import { isMoving, seenAs, SHORT } from "@/ui/status";

export interface Words {
  /** The state alone: for its badge, which is read out when it changes, and for the title of the document. */
  short: string;
  /** One plain sentence. */
  heading: string;
  /** What that means, and what there is to do. */
  meaning: string;
}

/** By the reason that Towline tells. */
const ENDED: Record<string, Words> = {
  done: { short: "Done", heading: "The job is done", meaning: "All is finished, so the vehicle is not shown any more." },
  cancelled: {
    short: "Cancelled",
    heading: "The job was cancelled",
    meaning: "Nobody is on the way any more. If you did not expect that, ask whoever you booked with.",
  },
  failed: {
    short: "Not done",
    heading: "The job could not be done",
    meaning: "The vehicle is not shown any more. Ask whoever you booked with how it goes on.",
  },
  expired: { short: "Over", heading: "The time for this job is over", meaning: "It has ended by itself, so the vehicle is not shown any more." },
};
const OVER: Words = { short: "Over", heading: "The job is over", meaning: "The vehicle is not shown any more." };

/** Why there is no new position, where the driver's phone has said so. */
const PHONE: Partial<Record<PhoneState, string>> = {
  no_permission: "The driver's phone may not tell where it is just now.",
  no_fix: "The driver's phone does not know where it is just now, as in a tunnel or a garage.",
  off_duty: "The driver does not share their position just now.",
};

/** How somebody has come to a job: by their account; by its link; or by the link of another job, which is open in this browser. */
export type By = "account" | "link" | "another_link";

export function words(job: JobSnapshot, by: By = "account"): Words {
  return { short: SHORT[seenAs(job)], ...sentences(job, by) };
}

/** In the words of its own where the state alone says too little. */
type Sentences = Omit<Words, "short"> & Partial<Words>;

function sentences(job: JobSnapshot, by: By): Sentences {
  const why = job.heartbeat && PHONE[job.heartbeat];
  switch (seenAs(job)) {
    case "waiting":
      return { heading: "Looking for your vehicle", meaning: "One moment: this page is asking where it is." };
    case "none":
      return {
        heading: "The vehicle has no position yet",
        meaning: `${why ?? (job.silentSince === undefined ? "The driver's phone has not sent one." : "Nothing is heard of the driver's phone.")} It appears here by itself. You can leave this page open, or come back later.`,
      };
    case "withheld":
      return job.gate === "within"
        ? { heading: "You will see the vehicle when it is near", meaning: "It is shown once it is close to where it is needed. This page does so by itself." }
        : { heading: "You will see the vehicle later", meaning: "It is shown from the time below on. This page does so by itself." };
    case "live":
      return live(job);
    case "stale":
      return {
        heading: "The last position is out of date",
        meaning: `${why ?? (job.fixMissingSince === undefined ? "No new one has come." : "The driver's phone is heard of, but finds no position.")} The vehicle may be elsewhere by now. This goes on by itself with the next one.`,
      };
    case "silent":
      return {
        heading: "The driver's phone is not heard of",
        meaning: `${why ?? "There may be no network where it is."} You see where the vehicle was last. If this lasts, ask whoever you booked with.`,
      };
    case "offline":
      return {
        heading: "This page has no connection just now",
        meaning: `${job.position ? "The driver may be as well as ever: you see what was known before." : "Where your vehicle is cannot be asked."} If other pages do not load either, check your network. This goes on by itself.`,
      };
    case "reassigned":
      return { heading: "Another driver has taken over", meaning: "Where they are appears here as soon as their phone has sent it." };
    case "ended":
      return ENDED[job.reason ?? ""] ?? OVER;
    case "not_yours":
      return NOT_YOURS[by];
  }
}

const NOT_YOURS: Record<By, Sentences> = {
  account: { heading: "This job is not shown to you", meaning: "You do not take part in it, or not any more. If you should, ask whoever you booked with." },
  link: { heading: "This link shows no vehicle any more", meaning: "Ask whoever has sent it to you for another one. You can close this page." },
  another_link: {
    short: "Not open here",
    heading: "Another link is open in this browser",
    meaning: "It shows one shared vehicle at a time. To see this one here, open its link again.",
  },
};

function live(job: JobSnapshot): Sentences {
  const moving = isMoving(job);
  const short = job.arrivedAt === undefined ? SHORT.live : "Arrived";
  const seen = "You see where it is.";
  if (moving) return { short, heading: "The vehicle is moving", meaning: seen };
  if (job.arrivedAt !== undefined) return { short, heading: "The vehicle has arrived", meaning: "It is where it is needed." };
  if (job.heartbeat === "parked") return { short: "Parked", heading: "The vehicle is parked", meaning: "It has stood for a while. This page shows when it drives on." };
  if (moving === false) return { short, heading: "The vehicle has stopped", meaning: `It may be in traffic or at a light. ${seen}` };
  return { short, heading: "The vehicle is on the map", meaning: seen };
}
