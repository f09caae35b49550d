// The smallest thing that can be subscribed to.

import type { Store } from "./types.ts";

/** A store that its owner sets. The value is compared by identity. */
export interface Settable<T> extends Store<T> {
  set(value: T): void;
}

export function store<T>(value: T): Settable<T> {
  const subscribers = new Set<{ changed: () => void }>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      each(subscribers, ({ changed }) => changed());
    },
    subscribe: (changed) => add(subscribers, { changed }),
  };
}

/** Adds, until what it returns is called. */
export function add<T>(set: Set<T>, member: T): () => void {
  set.add(member);
  return () => void set.delete(member);
}

/** Calls with each that is there now. What one of them throws is reported, and kept from no other. */
export function each<T>(members: Iterable<T>, call: (member: T) => void) {
  for (const member of [...members]) {
    try {
      call(member);
    } catch (error) {
      report(error);
    }
  }
}

/** Tells of what was thrown as the page is told of all that nobody catches; what was under way goes on. */
export function report(error: unknown) {
  queueMicrotask(() => {
    throw error;
  });
}
