// Who is on duty, by the presence set of a channel.

import type { Core, Store } from "./client/types.ts";
import { whileHeard } from "./heard.ts";

/** The channel of everybody who is on duty; `presence:dispatch:{dispatchId}` is that of one dispatch. */
const DISPATCH = "presence:dispatch";

/** What somebody says of themselves. */
export interface Duty {
  readonly role: string;
  readonly duty: string;
}

/** Somebody who is on duty, or was less than 30 s ago. */
export interface OnDuty extends Duty {
  readonly userId: string;
  /** Since when, Unix milliseconds by Ably's clock. Kept over an absence under 30 s, and over a change of role or duty. */
  readonly since: number;
}

export const NOBODY: readonly OnDuty[] = [];

/** Who is on duty, in the order of their ids. Nobody in stream mode, and where the session may not see it. */
export function onDuty(core: Core, channel = DISPATCH): Store<readonly OnDuty[]> {
  return core.one(`duty ${channel}`, () => whileHeard(core, () => NOBODY, ({ listDuty }, set) => listDuty(core, channel, set)));
}

/**
 * Goes on duty until what it returns is called. The connection stays open meanwhile, also where the tab is hidden.
 * In stream mode there is no presence, and nothing happens.
 */
export function goOnDuty(core: Core, { role, duty }: Duty, channel = DISPATCH): () => void {
  return core.channels?.enter(channel, { role, duty }) ?? (() => {});
}
