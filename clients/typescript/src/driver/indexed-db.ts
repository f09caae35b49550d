// Entries in IndexedDB, which all tabs of an origin share.

import type { Kept, QueueStorage } from "./storage.ts";

const STORE = "entries";
const BY_JOB = "job";
/** After every string, in the order of IndexedDB's keys. */
const LAST: IDBValidKey = [];

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The queue of this name, made when it is first used. Its calls reject where there is no IndexedDB, or it refuses: private windows, a full disk. */
export function indexedDbStorage(name: string, factory?: IDBFactory): QueueStorage {
  let opened: Promise<IDBDatabase> | undefined;

  async function open(): Promise<IDBDatabase> {
    const request = (factory ?? indexedDB).open(name, 1);
    request.onupgradeneeded = () => {
      // Keys that only grow order the entries of all tabs.
      const store = request.result.createObjectStore(STORE, { keyPath: "key", autoIncrement: true });
      store.createIndex(BY_JOB, ["user", "job"]);
    };
    const database = await done(request);
    const forget = () => (opened = undefined);
    // A later version of this, or somebody who deletes the database, does not have to wait for this tab.
    database.onversionchange = () => {
      database.close();
      forget();
    };
    database.onclose = forget;
    return database;
  }

  /** One transaction, which is done when the promise resolves. `strict`: and on the disk, so that no battery takes it back that is empty a moment later. */
  async function transact<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => Promise<T>, durability: IDBTransactionDurability = "default"): Promise<T> {
    const opening = (opened ??= open());
    try {
      const database = await opening;
      // It has come too late: what was to be written may have left by another way.
      if (opened !== opening) throw new Error("not open");
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction(STORE, mode, { durability });
        const result = work(transaction.objectStore(STORE));
        // Not half of it.
        result.catch((error) => {
          reject(error);
          transaction.abort();
        }).catch(() => {});
        transaction.oncomplete = () => resolve(result);
        transaction.onabort = () => reject(transaction.error);
      });
    } catch (error) {
      reopen(opening);
      throw error;
    }
  }
  /** A connection may be broken for good; the next call has another one. */
  function reopen(broken: typeof opened) {
    if (opened === broken) opened = undefined;
    broken?.then((database) => database.close(), () => {});
  }
  const read = <T>(work: (index: IDBIndex) => Promise<T>) => transact("readonly", (store) => work(store.index(BY_JOB)));
  const all = (user: string) => IDBKeyRange.bound([user], [user, LAST]);

  return {
    append: (entries) => transact("readwrite", async (store) => void entries.forEach((entry) => store.add(entry)), "strict"),
    jobs: (user) =>
      read(
        (index) =>
          new Promise((resolve, reject) => {
            const jobs: string[] = [];
            const request = index.openKeyCursor(all(user), "nextunique");
            request.onerror = () => reject(request.error);
            request.onsuccess = () => {
              const cursor = request.result;
              if (cursor === null) return resolve(jobs);
              jobs.push((cursor.key as [user: string, job: string])[1]);
              cursor.continue();
            };
          }),
      ),
    oldest: (user, job, limit) => read((index) => done<Kept[]>(index.getAll([user, job], limit))),
    count: (user) => read((index) => done(index.count(all(user)))),
    remove: (keys) => transact("readwrite", async (store) => void keys.forEach((key) => store.delete(key))),
    clear: (user) =>
      transact("readwrite", async (store) => {
        const keys = await done(store.index(BY_JOB).getAllKeys(all(user)));
        for (const key of keys) store.delete(key);
      }),
    reopen: () => reopen(opened),
  };
}
