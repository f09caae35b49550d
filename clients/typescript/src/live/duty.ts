// A presence set, as who is on duty.

import { timer } from "../client/timer.ts";
import type { Core } from "../client/types.ts";
import type { OnDuty } from "../duty.ts";
import type { Open } from "../heard.ts";

/** For how long somebody who is not there is still shown: a phone in a tunnel, a page that is loaded again. */
const ABSENT_MS = 30_000;

export function listDuty(core: Core, channel: string, set: (people: readonly OnDuty[]) => void): Open {
  const { clock } = core;
  /** `left`: when they were seen to be gone. */
  const seen = new Map<string, OnDuty & { left?: number }>();
  let told = "[]";
  const leaving = timer(clock);
  const tell = () => {
    leaving();
    let next = Number.POSITIVE_INFINITY;
    for (const [userId, { left = Number.POSITIVE_INFINITY }] of seen) {
      if (clock.now() - left >= ABSENT_MS) seen.delete(userId);
      else next = Math.min(next, left);
    }
    if (next < Number.POSITIVE_INFINITY) leaving(next + ABSENT_MS - clock.now(), tell);
    const all = [...seen.values()].map(({ userId, role, duty, since }) => ({ userId, role, duty, since }));
    all.sort((a, b) => (a.userId < b.userId ? -1 : 1));
    const text = JSON.stringify(all);
    if (text !== told) set(all);
    told = text;
  };
  const close = core.channels?.listen(channel, {
    presence(members) {
      const gone = new Map(seen);
      // Of somebody who is there twice, what they have said last.
      for (const { clientId: userId, data, timestamp } of [...members].sort((a, b) => a.timestamp - b.timestamp)) {
        const { role, duty } = (data ?? {}) as Record<string, unknown>;
        if (typeof role !== "string" || typeof duty !== "string") continue;
        gone.delete(userId);
        seen.set(userId, { userId, role, duty, since: seen.get(userId)?.since ?? timestamp });
      }
      for (const [userId, one] of gone) seen.set(userId, { left: clock.now(), ...one });
      tell();
    },
    refused() {
      seen.clear();
      tell();
    },
  });
  return {
    close() {
      leaving();
      close?.();
    },
    refresh() {},
  };
}
