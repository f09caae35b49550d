// What a user is told of, as a sign to look.

import type { Core, Store } from "./client/types.ts";
import { whileHeard } from "./heard.ts";
import type { Notification } from "./wire.ts";

export interface Notifications {
  /** The newest first, each `id` once, at most 100; those that came while somebody listened. */
  readonly items: readonly Notification[];
  /**
   * Grows whenever some may have been missed, and so when it begins to listen, too: then a page asks its own back end what there is.
   * In stream mode none come, and it grows whenever the page is seen again after a while.
   */
  readonly missed: number;
}

export const NO_NOTIFICATIONS: Notifications = { items: [], missed: 0 };

/** The user's notifications. */
export function notifications(core: Core): Store<Notifications> {
  return core.one("notifications", () => {
    let missed = 0;
    return whileHeard<Notifications>(
      core,
      () => (missed ? { items: [], missed } : NO_NOTIFICATIONS),
      ({ listNotifications }, set) => listNotifications(core, (items) => set({ items, missed }), () => void missed++),
    );
  });
}
