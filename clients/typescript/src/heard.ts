// Stores that do something only as long as somebody listens.

import { each } from "./client/store.ts";
import type { Core, Store } from "./client/types.ts";
import { type Live, live } from "./loading.ts";

export interface Open {
  close(): void;
  /** Asks anew. */
  refresh(): void;
}

/**
 * A store that is opened for its first listener, at the end of the tick, so that who goes in the tick in which it came opens nothing;
 * and closed a second after the last one, so that neither StrictMode nor a fast switch closes it.
 * What it had is forgotten then, and where the page is put away or the client has stopped.
 */
export function whileHeard<T>(core: Core, empty: () => T, open: (live: Live, set: (value: T) => void) => Open): Store<T> {
  const listeners = new Set<() => void>();
  let value = empty();
  let opened: Open | undefined;
  let turn = 0;
  let leave: (() => void) | undefined;
  let stay = () => {};
  const set = (next: T) => {
    if (next === value) return;
    value = next;
    each(listeners, (call) => call());
  };
  const begin = () => {
    const mine = ++turn;
    void live(core).load().then((all) => {
      if (mine === turn) opened = open(all, (next) => mine === turn && set(next));
    });
  };
  const erase = () => {
    turn++;
    opened?.close();
    opened = undefined;
    set(empty());
  };
  const close = () => {
    leave?.();
    leave = undefined;
    erase();
  };
  return {
    get: () => value,
    subscribe(changed) {
      const call = () => changed();
      listeners.add(call);
      stay();
      queueMicrotask(() => {
        if (leave !== undefined || listeners.size === 0) return;
        leave = core.live({ erase, refresh: () => (opened ? opened.refresh() : begin()), stop: erase });
        begin();
      });
      return () => {
        listeners.delete(call);
        stay();
        if (listeners.size === 0 && leave !== undefined) stay = core.clock.after(1_000, close);
      };
    },
  };
}
