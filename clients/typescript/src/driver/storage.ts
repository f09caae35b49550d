// Where a driver's fixes wait until the service has them.

import type { PostedFix } from "../wire.ts";

/** A fix that waits: whose it is, and for which job. It leaves as that user's and for that job, or not at all. */
export interface Entry {
  user: string;
  job: string;
  /** By its `id` the service recognises a retry, so it never changes. */
  fix: PostedFix & { id: string };
  /** When it was queued, Unix milliseconds by the device's clock as it was set then. */
  wall: number;
  /** The same by a clock that only grows, in milliseconds; to be compared within one `run` only. */
  mono: number;
  /** Which life of a page has queued it. */
  run: string;
}

/** An entry that is kept. */
export interface Kept extends Entry {
  /** Its place: it grows with the order in which entries were appended, whatever page has done it. Above 0. */
  key: number;
}

/**
 * What keeps the entries of all users of a device, so that they outlast the page, the app and the battery. A browser has IndexedDB; bring your
 * own in React Native, over SQLite say. Each call is done, for good, when its promise resolves; one that cannot be done rejects and changes
 * nothing. What cannot be written is kept in memory meanwhile, and written once that works.
 */
export interface QueueStorage {
  /** Appends these, in this order: all of them or none. */
  append(entries: readonly Entry[]): Promise<void>;
  /** The jobs for which this user has entries, each once. */
  jobs(user: string): Promise<string[]>;
  /** The first of this user's entries for this job, at most `limit`, in the order in which they were appended. */
  oldest(user: string, job: string, limit: number): Promise<Kept[]>;
  /** How many entries this user has. */
  count(user: string): Promise<number>;
  /** Removes the entries with these keys; those that are not there count as removed. */
  remove(keys: readonly number[]): Promise<void>;
  /** Removes all entries of this user, and nobody else's. */
  clear(user: string): Promise<void>;
  /** Called where there was no answer for 10 s: what is held on to may be broken for good, so the next call begins anew. */
  reopen?(): void;
}

/** Keeps entries as long as the page lives. */
export function memoryStorage(): QueueStorage {
  let kept: Kept[] = [];
  let key = 0;
  const of = (user: string) => kept.filter((entry) => entry.user === user);
  return {
    append: async (entries) => void kept.push(...entries.map((entry) => ({ ...entry, key: ++key }))),
    jobs: async (user) => [...new Set(of(user).map(({ job }) => job))],
    oldest: async (user, job, limit) => of(user).filter((entry) => entry.job === job).slice(0, limit),
    count: async (user) => of(user).length,
    remove: async (keys) => void (kept = kept.filter((entry) => !keys.includes(entry.key))),
    clear: async (user) => void (kept = kept.filter((entry) => entry.user !== user)),
  };
}
