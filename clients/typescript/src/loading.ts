// What asks and listens is loaded when something is first watched. A page is drawn and hydrated without it.

import { loaded } from "./client/later.ts";
import type { Core, Store } from "./client/types.ts";

export type Live = typeof import("./live/index.ts");

interface Loading {
  /** Once it is loaded. */
  there: Live | undefined;
  load(): Promise<Live>;
}

export const live = (core: Core): Loading =>
  core.one("live", () => {
    const once = loaded(async () => (loading.there = await import("./live/index.ts")), core.clock);
    const loading: Loading = {
      there: undefined,
      load() {
        void core.channels?.prepare?.();
        return once();
      },
    };
    return loading;
  });

/** A store of what is loaded; until then, `without`. */
export function onceLoaded<T>(core: Core, without: Store<T>, pick: (all: Live) => Store<T>): Store<T> {
  const loading = live(core);
  const present = () => (loading.there ? pick(loading.there) : without);
  return {
    get: () => present().get(),
    subscribe(changed) {
      let leave = present().subscribe(changed);
      let isOver = false;
      if (!loading.there) {
        void loading.load().then(() => {
          if (isOver) return;
          leave();
          leave = present().subscribe(changed);
          changed();
        });
      }
      return () => {
        isOver = true;
        leave();
      };
    },
  };
}
