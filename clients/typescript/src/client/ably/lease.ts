// A channel that somebody wants, or did until a moment ago.

import type { ChannelMode, RealtimeChannel } from "ably";
import type { ChannelListener } from "../types.ts";

/** Somebody's part in a channel: they hear it, or are present on it. */
export interface Part {
  hears?: ChannelListener;
  is?: { data: unknown };
  /** Whether `hears` knows how the channel is. */
  told?: boolean;
}

export interface Lease {
  name: string;
  jobId: string | undefined;
  parts: Set<Part>;
  /** Ends the time for which it is kept with nobody there. */
  linger?: (() => void) | undefined;
  /** On the present connection. */
  channel?: RealtimeChannel | undefined;
  /** With which modes it is attached, or will be. */
  modes?: ChannelMode[];
  /** Who of those who want to be present is so. */
  present?: Part | undefined;
  /** What is being done about presence: one after the other. */
  doing?: Promise<void> | undefined;
  /** Set while who is there is about to be read. */
  reading?: (() => void) | undefined;
  /** It is attached, and its listeners know. */
  up?: boolean;
  /** It was refused, and its listeners know. */
  refused?: boolean;
  /** It was wanted when the present token was asked for. */
  asked?: boolean;
  /** It was attached, and has only been cut off since, if that. */
  whole?: boolean;
  /** With which token it was last attached. */
  tried?: number;
}

/** Somebody has a part in it, or had one a moment ago. */
export const isWanted = ({ parts, linger }: Lease): boolean => parts.size > 0 || linger !== undefined;

/** What its listeners are for decides what Ably is asked for. */
export function modesOf({ parts }: Lease): ChannelMode[] {
  const some = (is: (part: Part) => unknown) => [...parts].some(is);
  const modes: ChannelMode[] = [];
  if (some(({ hears }) => hears && !hears.presence) || some(({ hears }) => hears?.message)) modes.push("SUBSCRIBE");
  if (some(({ hears }) => hears?.presence)) modes.push("PRESENCE_SUBSCRIBE");
  if (some(({ is }) => is)) modes.push("PRESENCE");
  return modes;
}
