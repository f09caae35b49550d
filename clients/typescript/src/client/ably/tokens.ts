// Which Ably token is asked for, and what it lets its holder hear.

import { isJobId } from "../../ids.ts";
import { claimsOf } from "../http.ts";
import type { Answer, Http } from "../types.ts";

/** A token names at most so many jobs. */
const NAMES_MAX = 20;

/** What a token says that it is good for: operations by channel. Nothing where it cannot be read, which is no reason not to try. */
type Capability = Record<string, unknown> | undefined;

export interface Tokens {
  /** A new token, with the channels of as many of these jobs as may be had. */
  ask(jobs: string[]): Promise<Answer<string>>;
  /** Whether the last token has the channel. */
  may(channel: string): boolean;
}

/**
 * A session that lists jobs gets them all where it names none, and a dispatcher all that there are; with `JOB_REGISTRY=required` there is a job
 * only for who names it, and what names some leaves out all others. Nobody tells a client with which of these it is. So it asks without names
 * first, and where that lacks a job that is wanted, by name too, what it had before first; takes what brings more; and begins with that way from then on.
 */
export function tokensFrom(http: Http): Tokens {
  let capability: Capability = {};
  let byName = false;

  const isTooMany = (answer: Answer<string>) => answer.is === "again" && answer.status === 429;
  const ask = (names: string[]) => http<string>({ path: `/api/ably-token${names.length > 0 ? `?jobId=${names.join()}` : ""}` });

  return {
    async ask(wanted) {
      const jobs = wanted.filter(isJobId);
      const granted = (...by: Capability[]) => jobs.filter((job) => by.some((capability) => covers(capability, `dispatch:job:${job}`)));
      let answer: Answer<string> = { is: "stopped" };
      let best: { answer: Answer<string>; capability: Capability; named: boolean } | undefined;
      for (const named of jobs.length === 0 ? [false] : [byName, !byName]) {
        const had = named ? granted(capability, best ? best.capability : {}) : [];
        let names = named ? [...had, ...jobs.filter((job) => !had.includes(job))].slice(0, NAMES_MAX) : [];
        answer = await ask(names);
        // Others' jobs may be asked for so often only. Those that were had cost nothing.
        if (had.length > 0 && isTooMany(answer)) answer = await ask((names = had.slice(0, NAMES_MAX)));
        if (answer.is === "ok") {
          const brought = capabilityOf(answer.body);
          if (!best || granted(brought).length > granted(best.capability).length) best = { answer, capability: brought, named };
          // Whoever was asked for each of them by name has no more in any other way.
          if (names.length === jobs.length || granted(best.capability).length === jobs.length) break;
        } else if (best || (answer.is !== "refused" && !(named && isTooMany(answer)))) break;
      }
      if (!best) return answer;
      capability = best.capability;
      if (jobs.length > 0) byName = best.named;
      return best.answer;
    },
    may: (channel) => covers(capability, channel),
  };
}

function capabilityOf(jwt: string): Capability {
  try {
    return JSON.parse(String(claimsOf(jwt)["x-ably-capability"]));
  } catch {
    return undefined;
  }
}

/** A `*` is any segment; at the end, one or more. */
function covers(capability: Capability, channel: string): boolean {
  if (capability === undefined) return true;
  const segments = channel.split(":");
  return Object.keys(capability).some((pattern) => {
    const wanted = pattern.split(":");
    if (wanted.at(-1) !== "*" && wanted.length !== segments.length) return false;
    return wanted.every((segment, at) => segments[at] === segment || (segment === "*" && segments[at] !== undefined));
  });
}
