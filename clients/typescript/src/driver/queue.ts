// The queue: what is kept in storage, and behind it, in memory, what storage does not take just now.

import type { Clock } from "../client/types.ts";
import type { Entry, Kept, QueueStorage } from "./storage.ts";

/** The most entries that a user has waiting; beyond it the oldest go. Fourteen hours without a network at a fix a second. */
export const ENTRIES_MAX = 50_000;
/** How often the number of entries is looked at, in entries. */
const LOOK_EVERY = 100;
/** The most that are written or removed at once. */
const CHUNK = 500;
/** How long storage may take. Safari's has been seen to never answer. */
const PATIENCE_MS = 10_000;
/** How long it is not asked again where it has not answered: each call waits for the one before. */
const SILENT_MS = 60_000;

export interface Queue {
  /** Keeps an entry: in storage when it resolves, or else in memory, where `settle` takes it from. It never rejects. */
  add(entry: Entry): Promise<void>;
  /** Writes what is in memory, if storage takes it now. */
  settle(): Promise<void>;
  /** As a `QueueStorage` has them. Those in memory come last, with keys below 0. Where storage cannot be read, they are all. */
  jobs(user: string): Promise<string[]>;
  oldest(user: string, job: string, limit: number): Promise<Kept[]>;
  count(user: string): Promise<number>;
  /** Never rejects: what cannot be removed from storage now is not read any more, and removed once that works. */
  remove(keys: readonly number[]): Promise<void>;
  clear(user: string): Promise<void>;
  /** How many of this user's are in memory only. At once, whatever storage does. */
  unwritten(user: string): number;
  /** Whether storage takes what is added. */
  durable(): boolean;
}

/**
 * @param dropped hears how many of a user's oldest entries went as there were too many
 */
export function createQueue(clock: Clock, storage: QueueStorage, dropped: (count: number) => void): Queue {
  /** What waits to be written, in order. While there is something, all that is added waits behind it, so that the order stays. */
  let memory: Kept[] = [];
  /** Keys of what has left, and is still in storage. */
  const gone = new Set<number>();
  /** The last call of storage has failed; and so has the last that was to write. */
  let failing = false;
  let refused = false;
  /** Until when, by `clock.now`, storage counts as refusing without being asked. */
  let silentUntil = -Infinity;
  let key = 0;
  let added = 0;
  /** One call at a time: nobody reads an entry both from storage and from memory while it is being written. */
  let last: Promise<unknown> = Promise.resolve();
  let settling: Promise<void> | undefined;

  function inTurn<T>(call: () => Promise<T>): Promise<T> {
    const result = last.then(call);
    last = result.catch(() => {});
    return result;
  }

  /** Calls storage; a refusal, and no answer in time, reject. */
  async function stored<T>(call: () => Promise<T>): Promise<T> {
    const silent = () => new Error("storage does not answer");
    if (clock.now() < silentUntil) throw silent();
    let stop = () => {};
    const late = new Promise<never>((_, reject) => {
      stop = clock.after(PATIENCE_MS, () => {
        silentUntil = clock.now() + SILENT_MS;
        storage.reopen?.();
        reject(silent());
      });
    });
    try {
      const result = await Promise.race([call(), late]);
      failing = false;
      return result;
    } catch (error) {
      failing = true;
      throw error;
    } finally {
      stop();
    }
  }

  async function write(): Promise<void> {
    while (memory.length > 0) {
      const part = memory.slice(0, CHUNK);
      const end = Math.min(...part.map(({ key }) => key));
      try {
        await stored(() => storage.append(part.map(({ key: _, ...entry }) => entry)));
        refused = false;
      } catch {
        refused = true;
        return;
      }
      // More may have come meanwhile, and the oldest gone as there were too many. Keys in memory fall.
      memory = memory.filter(({ key }) => key < end);
    }
  }

  async function tidy(): Promise<void> {
    const keys = [...gone];
    if (keys.length === 0) return;
    try {
      await stored(() => storage.remove(keys));
    } catch {
      return;
    }
    for (const key of keys) gone.delete(key);
  }

  const ofMemory = (user: string) => memory.filter((entry) => entry.user === user);

  async function trim(user: string): Promise<void> {
    let over = (await stored(() => storage.count(user))) - ENTRIES_MAX;
    while (over > 0) {
      const part = Math.min(over, CHUNK);
      const heads = await stored(async () => {
        const jobs = await storage.jobs(user);
        return (await Promise.all(jobs.map((job) => storage.oldest(user, job, part)))).flat();
      });
      const oldest = heads.sort((a, b) => a.key - b.key).slice(0, part);
      await stored(() => storage.remove(oldest.map(({ key }) => key)));
      dropped(part);
      over -= part;
    }
  }

  /** The first in storage that have not left. */
  async function first(user: string, job: string, limit: number): Promise<Kept[]> {
    const entries = await readable(() => storage.oldest(user, job, limit + gone.size), []);
    return entries.filter(({ key }) => !gone.has(key)).slice(0, limit);
  }

  /** What storage says, and nothing where it cannot be asked. */
  const readable = <T>(call: () => Promise<T>, otherwise: T) => stored(call).catch(() => otherwise);

  return {
    add(entry) {
      memory.push({ ...entry, key: -++key });
      if (memory.length > ENTRIES_MAX) dropped(memory.splice(0, 1).length);
      return inTurn(async () => {
        // What was refused is not tried again with each entry.
        if (!refused) await write();
        if (++added % LOOK_EVERY === 0) await trim(entry.user).catch(() => {});
      });
    },
    // One at a time, however slow storage is.
    settle: () => (settling ??= inTurn(() => write().then(tidy)).finally(() => (settling = undefined))),
    jobs: (user) =>
      inTurn(async () => {
        const jobs = await readable(() => storage.jobs(user), []);
        // Of a job that has left and cannot be removed nothing is waiting.
        const waiting = new Set(ofMemory(user).map(({ job }) => job));
        for (const job of jobs) if (gone.size === 0 || (await first(user, job, 1)).length > 0) waiting.add(job);
        return [...waiting];
      }),
    oldest: (user, job, limit) =>
      inTurn(async () => [...(await first(user, job, limit)), ...ofMemory(user).filter((entry) => entry.job === job)].slice(0, limit)),
    count: (user) => inTurn(async () => Math.max(0, (await readable(() => storage.count(user), 0)) - gone.size) + ofMemory(user).length),
    remove: (keys) =>
      inTurn(async () => {
        for (const key of keys) if (key > 0) gone.add(key);
        const left = new Set(keys);
        memory = memory.filter((entry) => !left.has(entry.key));
        await tidy();
      }),
    clear: (user) =>
      inTurn(async () => {
        memory = memory.filter((entry) => entry.user !== user);
        await stored(() => storage.clear(user));
      }),
    unwritten: (user) => ofMemory(user).length,
    durable: () => !failing && !refused,
  };
}
