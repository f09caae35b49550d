// A user's channel, as notifications.

import type { ChannelListener, Core } from "../client/types.ts";
import type { Open } from "../heard.ts";
import type { Notification } from "../wire.ts";
import { backoff, repeated } from "./repeat.ts";

/** How many are kept. */
const KEPT = 100;

/** Exactly what a notification has; undefined where it has it not. */
function parse(data: unknown): Notification | undefined {
  const { id, type, entityId, version, ts } = (data ?? {}) as Record<string, unknown>;
  const sound = [id, type, entityId].every((name) => typeof name === "string") && Number.isFinite(version) && Number.isFinite(ts);
  return sound ? ({ id, type, entityId, version, ts } as Notification) : undefined;
}

/** `set` is told the newest first, `missed` each time that some may have been missed. */
export function listNotifications(core: Core, set: (items: readonly Notification[]) => void, missed: () => void): Open {
  let items: readonly Notification[] = [];
  const miss = () => {
    missed();
    set(items);
  };
  if (core.channels === undefined) {
    miss();
    return { close() {}, refresh: miss };
  }
  const listener: ChannelListener = {
    message(name, data) {
      const one = name === "notification" ? parse(data) : undefined;
      if (one === undefined || items.some(({ id }) => id === one.id)) return;
      items = [one, ...items].slice(0, KEPT);
      set(items);
    },
    attached: (continuous) => continuous || miss(),
    // It is not told in full before it is attached again.
    refused: miss,
  };
  let close: (() => void) | undefined;
  let isOver = false;
  let tries = 0;
  // Whose client it is, a first session says, which a request asks for.
  const begins = repeated(core, async () => {
    if (core.user() === undefined) await core.http({ path: "/api/jobs?mine" });
    const user = core.user();
    if (user === undefined) return backoff(tries++);
    if (!isOver) close ??= core.channels?.listen(`notifications:user:${user}`, listener);
    return undefined;
  });
  begins.now();
  return {
    close() {
      isOver = true;
      begins.stop();
      close?.();
    },
    refresh: begins.now,
  };
}
