// What keeps a driver's fixes: IndexedDB, memory, and memory behind storage that fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { indexedDbStorage } from "../src/driver/indexed-db.ts";
import { createQueue, ENTRIES_MAX } from "../src/driver/queue.ts";
import { memoryStorage, type QueueStorage } from "../src/driver/storage.ts";
import { entry, PlayedTime, settled } from "./support/driver-world.ts";

Object.assign(globalThis, { IDBKeyRange });

const idsOf = async (storage: Pick<QueueStorage, "oldest">, user: string, job: string, limit = 1_000) =>
  (await storage.oldest(user, job, limit)).map(({ fix }) => fix.id);

for (const [name, make] of [
  ["memory", () => memoryStorage()],
  ["IndexedDB", () => indexedDbStorage("queue", new IDBFactory())],
] as const) {
  test(`${name} keeps each user's entries apart, by job and in order`, async () => {
    const storage = make();
    await storage.append([entry("ann", "job-1", "1"), entry("bob", "job-1", "2")]);
    await storage.append([entry("ann", "job-2", "3"), entry("ann", "job-1", "4"), entry("ann b", "job-1", "5")]);
    assert.deepEqual((await storage.jobs("ann")).sort(), ["job-1", "job-2"]);
    assert.deepEqual(await storage.jobs("bob"), ["job-1"]);
    assert.deepEqual(await storage.jobs("an"), []);
    assert.deepEqual(await idsOf(storage, "ann", "job-1"), ["1", "4"]);
    assert.deepEqual(await idsOf(storage, "ann", "job-1", 1), ["1"]);
    assert.deepEqual(await idsOf(storage, "bob", "job-2"), []);
    assert.deepEqual([await storage.count("ann"), await storage.count("bob"), await storage.count("ann b"), await storage.count("b")], [3, 1, 1, 0]);
    const [first] = await storage.oldest("ann", "job-1", 1);
    assert.ok(first !== undefined && first.key > 0);
    const { key, ...rest } = first;
    assert.deepEqual(rest, entry("ann", "job-1", "1"));
    await storage.remove([key, key, 99_999]);
    assert.deepEqual(await idsOf(storage, "ann", "job-1"), ["4"]);
    await storage.append([entry("ann", "job-1", "6")]);
    assert.deepEqual(await idsOf(storage, "ann", "job-1"), ["4", "6"]);
    await storage.clear("ann");
    assert.deepEqual([await storage.count("ann"), await storage.count("bob"), await storage.count("ann b")], [0, 1, 1]);
  });
}

test("IndexedDB is one queue for all tabs, and outlasts them", async () => {
  const factory = new IDBFactory();
  const [one, other] = [indexedDbStorage("queue", factory), indexedDbStorage("queue", factory)];
  await one.append([entry("ann", "job-1", "1")]);
  await other.append([entry("ann", "job-1", "2")]);
  await one.append([entry("ann", "job-1", "3")]);
  assert.deepEqual(await idsOf(indexedDbStorage("queue", factory), "ann", "job-1"), ["1", "2", "3"]);
  assert.equal(await indexedDbStorage("another", factory).count("ann"), 0);
});

test("IndexedDB appends all or nothing", async () => {
  const storage = indexedDbStorage("queue", new IDBFactory());
  const impossible = { ...entry("ann", "job-1", "2"), fix: (() => {}) as never };
  await assert.rejects(storage.append([entry("ann", "job-1", "1"), impossible]));
  assert.equal(await storage.count("ann"), 0);
  await storage.append([entry("ann", "job-1", "3")]);
  assert.deepEqual(await idsOf(storage, "ann", "job-1"), ["3"]);
});

test("where there is no IndexedDB its calls reject, and it works once there is", async () => {
  const factory = new IDBFactory();
  let refuses = true;
  const storage = indexedDbStorage("queue", {
    open(name: string, version: number) {
      if (refuses) throw new DOMException("no", "SecurityError");
      return factory.open(name, version);
    },
  } as globalThis.IDBFactory);
  await assert.rejects(storage.append([entry("ann", "job-1", "1")]));
  await assert.rejects(storage.count("ann"));
  refuses = false;
  await storage.append([entry("ann", "job-1", "2")]);
  assert.deepEqual(await idsOf(storage, "ann", "job-1"), ["2"]);
});

test("a database that does not open is opened anew; what waited for it and comes late writes nothing", async () => {
  const factory = new IDBFactory();
  let opens = 0;
  let late = () => {};
  const storage = indexedDbStorage("queue", {
    open(name: string, version: number) {
      const request = factory.open(name, version);
      if (++opens > 1) return request;
      return {
        set onupgradeneeded(call: () => void) {
          request.onupgradeneeded = call;
        },
        set onsuccess(call: () => void) {
          late = call;
        },
        get result() {
          return request.result;
        },
      };
    },
  } as unknown as globalThis.IDBFactory);
  const first = storage.append([entry("ann", "job-1", "1")]);
  storage.reopen!();
  await storage.append([entry("ann", "job-1", "2")]);
  late();
  await assert.rejects(first);
  assert.deepEqual(await idsOf(storage, "ann", "job-1"), ["2"]);
  assert.equal(opens, 2);
});

test("a database that somebody deletes is made again", async () => {
  const factory = new IDBFactory();
  const storage = indexedDbStorage("queue", factory);
  await storage.append([entry("ann", "job-1", "1")]);
  await new Promise<void>((resolve, reject) => {
    const request = factory.deleteDatabase("queue");
    request.onsuccess = () => resolve();
    request.onerror = request.onblocked = () => reject(new Error("blocked"));
  });
  await storage.append([entry("ann", "job-1", "2")]);
  assert.deepEqual(await idsOf(storage, "ann", "job-1"), ["2"]);
});

/** Made once: what Node notes of where an error comes from takes longer than all else. */
const REFUSAL = new Error("refused");

/** A queue over storage that fails when it is told to. */
function failing() {
  const time = new PlayedTime();
  const kept = memoryStorage();
  const calls: string[] = [];
  const state = { fails: false, hangs: false, slow: Promise.resolve(), calls, dropped: 0, reopened: 0 };
  const storage = Object.fromEntries(
    Object.entries(kept).map(([name, call]) => [
      name,
      async (...given: never[]) => {
        calls.push(name);
        if (state.hangs) return new Promise(() => {});
        if (state.fails) throw REFUSAL;
        await state.slow;
        return (call as (...given: never[]) => unknown)(...given);
      },
    ]),
  ) as unknown as QueueStorage;
  const clock = { now: () => time.now, wall: () => time.now, after: time.after.bind(time) };
  storage.reopen = () => void (state.reopened += 1);
  return { time, kept, queue: createQueue(clock, storage, (count) => (state.dropped += count)), state };
}

test("what storage refuses waits in memory, behind what is stored, and is written in order once that works", async () => {
  const { queue, kept, state } = failing();
  await queue.add(entry("ann", "job-1", "1"));
  assert.equal(queue.durable(), true);
  state.fails = true;
  await queue.add(entry("ann", "job-1", "2"));
  assert.equal(queue.durable(), false);
  state.fails = false;
  // Not before the one that waits.
  await queue.add(entry("ann", "job-1", "3"));
  assert.deepEqual(await idsOf(kept, "ann", "job-1"), ["1"]);
  assert.deepEqual(await idsOf(queue, "ann", "job-1"), ["1", "2", "3"]);
  assert.deepEqual(await idsOf(queue, "ann", "job-1", 2), ["1", "2"]);
  assert.deepEqual([await queue.count("ann"), await queue.jobs("ann")], [3, ["job-1"]]);
  await queue.settle();
  assert.deepEqual(await idsOf(kept, "ann", "job-1"), ["1", "2", "3"]);
  assert.equal(queue.durable(), true);
  assert.equal(state.calls.filter((name) => name === "append").length, 3);
});

test("storage that cannot be read is as empty, and memory goes on", async () => {
  const { queue, state } = failing();
  await queue.add(entry("ann", "job-1", "1"));
  state.fails = true;
  await queue.add(entry("ann", "job-2", "2"));
  assert.deepEqual(await queue.jobs("ann"), ["job-2"]);
  const [only] = await queue.oldest("ann", "job-2", 10);
  await queue.remove([only!.key]);
  assert.equal(await queue.count("ann"), 0);
  state.fails = false;
  assert.deepEqual(await idsOf(queue, "ann", "job-1"), ["1"]);
});

test("storage that never answers is as one that refuses", async () => {
  const { queue, state, time } = failing();
  state.hangs = true;
  let done = false;
  void queue.add(entry("ann", "job-1", "1")).then(() => (done = true));
  await time.pass(9_000);
  assert.equal(done, false);
  await time.pass(1_000);
  assert.equal(done, true);
  state.hangs = false;
  assert.deepEqual(await idsOf(queue, "ann", "job-1"), ["1"]);
});

test("storage that has not answered is begun anew, and not asked for a minute: nobody waits for it", async () => {
  const { queue, kept, state, time } = failing();
  state.hangs = true;
  void queue.add(entry("ann", "job-1", "1"));
  await settled();
  assert.equal(queue.unwritten("ann"), 1);
  await time.pass(10_000);
  assert.deepEqual([state.calls, state.reopened, queue.durable()], [["append"], 1, false]);
  for (let second = 0; second < 59; second += 1) {
    await queue.add(entry("ann", "job-1", `${second}`));
    await queue.settle();
    assert.equal(await queue.count("ann"), second + 2);
    await time.pass(1_000);
  }
  assert.deepEqual(state.calls, ["append"]);
  state.hangs = false;
  await time.pass(1_000);
  await queue.settle();
  assert.deepEqual([await kept.count("ann"), queue.durable(), queue.unwritten("ann")], [60, true, 0]);
});

test("who settles while it is being settled waits for the same", async () => {
  const { queue, state } = failing();
  state.fails = true;
  await queue.add(entry("ann", "job-1", "1"));
  await Promise.all([queue.settle(), queue.settle(), queue.settle()]);
  assert.equal(state.calls.filter((name) => name === "append").length, 2);
  await queue.settle();
  assert.equal(state.calls.filter((name) => name === "append").length, 3);
});

test("what has left and cannot be removed is not read again", async () => {
  const { queue, kept, state } = failing();
  for (const id of ["1", "2", "3"]) await queue.add(entry("ann", "job-1", id));
  await queue.add(entry("ann", "job-2", "4"));
  const oldest = await queue.oldest("ann", "job-1", 2);
  state.fails = true;
  await queue.remove(oldest.map(({ key }) => key));
  state.fails = false;
  assert.deepEqual(await idsOf(queue, "ann", "job-1", 2), ["3"]);
  assert.equal(await queue.count("ann"), 2);
  const [rest] = await queue.oldest("ann", "job-1", 2);
  state.fails = true;
  await queue.remove([rest!.key]);
  state.fails = false;
  assert.deepEqual(await queue.jobs("ann"), ["job-2"]);
  assert.equal(await kept.count("ann"), 4);
  await queue.settle();
  assert.equal(await kept.count("ann"), 1);
});

test("of too many the oldest go, whatever their job, and nobody else's", async () => {
  const { queue, kept, state } = failing();
  const over = 700;
  await kept.append([entry("bob", "job-1", "of bob")]);
  await kept.append(Array.from({ length: ENTRIES_MAX + over - 100 }, (_, index) => entry("ann", index % 2 === 0 ? "job-1" : "job-2", `${index}`)));
  for (let index = 0; index < 100; index += 1) await queue.add(entry("ann", "job-3", `new ${index}`));
  assert.equal(await kept.count("ann"), ENTRIES_MAX);
  assert.equal(state.dropped, over);
  assert.deepEqual([await idsOf(kept, "ann", "job-1", 1), await idsOf(kept, "ann", "job-2", 1)], [[`${over}`], [`${over + 1}`]]);
  assert.deepEqual(await idsOf(kept, "bob", "job-1"), ["of bob"]);
});

test("memory has its bound, too", async () => {
  const { queue, state } = failing();
  state.fails = true;
  for (let index = 0; index < ENTRIES_MAX + 5; index += 1) void queue.add(entry("ann", "job-1", `${index}`));
  await settled();
  assert.deepEqual(await idsOf(queue, "ann", "job-1", 1), ["5"]);
  assert.equal(state.dropped, 5);
});

test("what comes while storage is being slow is written, all of it", async () => {
  const { queue, kept, state } = failing();
  let go = () => {};
  state.slow = new Promise((resolve) => (go = resolve));
  void queue.add(entry("ann", "job-1", "-1"));
  await settled();
  for (let index = 0; index < ENTRIES_MAX; index += 1) void queue.add(entry("ann", "job-1", `${index}`));
  assert.equal(state.dropped, 1);
  go();
  await queue.settle();
  // As many as may be, and the newest, without a gap.
  const left = await kept.oldest("ann", "job-1", ENTRIES_MAX + 1);
  const numbers = left.map(({ fix }) => Number(fix.id));
  assert.deepEqual([numbers.length, numbers.at(-1)], [ENTRIES_MAX, ENTRIES_MAX - 1]);
  assert.ok(numbers.every((number, index) => index === 0 || number === numbers[index - 1]! + 1));
});
