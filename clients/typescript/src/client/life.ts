// What the page does, heard once for all who have to act on it.

import type { Page } from "./platform.ts";
import { add, each, store } from "./store.ts";
import type { Clock, Life, Store } from "./types.ts";

/**
 * A tab that was not looked at for so long has to ask anew. In so short a time nobody signs out and somebody else in; and if they do on a page
 * that uses this client, the tabs hear of it at once.
 */
export const AWAY_MS = 10_000;

export interface Lives {
  visible: Store<boolean>;
  live(life: Partial<Life>): () => void;
  /** The page is put away, though perhaps not for good, until `shown`. */
  away: Store<boolean>;
  /** Nobody is told anything any more, after this. */
  stop(): void;
}

/**
 * @param ask asks whose session it is now, where another one's may have taken its place without a word; whoever it was before is not shown
 * anything until it has been asked
 */
export function lives(page: Page | undefined, clock: Clock, ask: (() => Promise<unknown>) | undefined): Lives {
  const all = new Set<Partial<Life>>();
  const visible = store(true);
  const away = store(false);
  let undo: (() => void)[] | undefined;
  let hiddenAt = clock.now();
  let stopped = page === undefined;

  const tell = (what: keyof Life) => each(all, (life) => life[what]?.());
  const refresh = () => tell("refresh");
  const seen = async (long: boolean) => {
    if (long && ask) tell("erase");
    await ask?.();
    if (long) refresh();
  };

  function listen(page: Page) {
    visible.set(!page.hidden());
    hiddenAt = clock.now();
    return [
      page.on("visibilitychange", () => {
        const hidden = page.hidden();
        if (hidden) hiddenAt = clock.now();
        else if (!visible.get()) void seen(clock.now() - hiddenAt >= AWAY_MS);
        visible.set(!hidden);
      }),
      // Whether or not it is kept: what the page shows when it comes back is what it shows now.
      page.on("pagehide", () => {
        tell("erase");
        away.set(true);
      }),
      page.on("pageshow", ({ persisted }) => {
        if (!persisted) return;
        away.set(false);
        void seen(true);
      }),
      page.on("online", refresh),
    ];
  }
  /** The page is listened to once somebody wants to know. */
  const begin = () => {
    if (page && !stopped) undo ??= listen(page);
  };
  return {
    visible: {
      get: () => !page?.hidden(),
      subscribe(changed) {
        begin();
        return visible.subscribe(changed);
      },
    },
    away,
    live(life) {
      begin();
      return add(all, life);
    },
    stop() {
      stopped = true;
      each(undo ?? [], (off) => off());
      tell("stop");
      all.clear();
    },
  };
}
