// Everything that can go wrong between a driver's page and the service, in any order, and pages that end between any two steps: what was
// queued is in the trail in the end, once, in order, as its user's and for its job, and nothing is left in the queue.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makeDriver } from "../src/driver/driver.ts";
import { memoryStorage, type QueueStorage } from "../src/driver/storage.ts";
import type { Driver } from "../src/driver/types.ts";
import { Browser, type Mood, ModelService, PlayedTime, type PlayedCore, playedCore, position, randomOf, Tab } from "./support/driver-world.ts";

const JOBS = ["job-1", "job-2", "job-3"];
const USERS = ["ann", "bob"];

type Action =
  | { is: "drive"; tab: number; steps: number }
  | { is: "pass"; ms: number }
  /** What the service does from now on; with a job, only for that. */
  | { is: "mood"; job: number | undefined; mood: Mood }
  | { is: "open" }
  | { is: "crash"; tab: number }
  /** The tab is stopped, as its client is at a sign-out. */
  | { is: "stopped"; tab: number }
  /** All tabs are stopped, and the phone is the other driver's. */
  | { is: "change_user" }
  | { is: "show"; tab: number; visible: boolean }
  | { is: "put_away"; tab: number }
  | { is: "refresh"; tab: number }
  | { is: "start"; tab: number; job: number }
  | { is: "stop"; tab: number }
  | { is: "end_job"; job: number; why: "reassigned" | "job_closed" }
  /** The next fixes are such that the service refuses them. */
  | { is: "bad"; how: "rejected" | "invalid_post" }
  | { is: "storage"; fails: "nothing" | "writes" | "everything"; how: "before" | "after" }
  | { is: "leave"; tab: number; ms: number };

const tab = fc.nat(2);
const job = fc.nat(JOBS.length - 1);
const again = fc.constantFrom(401, 408, 429, 500, 503).chain((status) =>
  fc.option(fc.constantFrom(500, 7_000), { nil: undefined }).map((afterMs): Mood => ({ is: "again", status, ...(afterMs !== undefined && { afterMs }) })),
);
const refused = fc.constantFrom<Mood>(
  { is: "refused", status: 403, type: "not_a_participant" },
  { is: "refused", status: 404, type: "not_found" },
  { is: "refused", status: 400, type: "invalid_id", reason: "invalid_id" },
);
const mood = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Mood>({ is: "fine" }) },
  { weight: 2, arbitrary: fc.constantFrom<Mood>({ is: "answer_lost" }, { is: "lost" }, { is: "portal" }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }).map((most): Mood => ({ is: "small", most })) },
  { weight: 2, arbitrary: again },
  { weight: 1, arbitrary: refused },
);

function actions(storage: "sound" | "refuses writes" | "fails"): fc.Arbitrary<Action[]> {
  const failing = storage === "refuses writes" ? fc.constantFrom("nothing", "writes") : fc.constantFrom("nothing", "writes", "everything");
  return fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.record({ is: fc.constant("drive"), tab, steps: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(130)) }) },
      { weight: 6, arbitrary: fc.record({ is: fc.constant("pass"), ms: fc.oneof(fc.nat(100), fc.nat(20_000)) }) },
      { weight: 8, arbitrary: fc.record({ is: fc.constant("mood"), job: fc.option(job, { nil: undefined }), mood }) },
      { weight: 3, arbitrary: fc.record({ is: fc.constant("open") }) },
      { weight: 4, arbitrary: fc.record({ is: fc.constant("crash"), tab }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant("stopped"), tab }) },
      { weight: 2, arbitrary: fc.record({ is: fc.constant("change_user") }) },
      { weight: 3, arbitrary: fc.record({ is: fc.constant("show"), tab, visible: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant("put_away"), tab }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant("refresh"), tab }) },
      { weight: 4, arbitrary: fc.record({ is: fc.constant("start"), tab, job }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant("stop"), tab }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant("end_job"), job, why: fc.constantFrom("reassigned", "job_closed") }) },
      { weight: 2, arbitrary: fc.record({ is: fc.constant("bad"), how: fc.constantFrom("rejected", "invalid_post") }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant("leave"), tab, ms: fc.constantFrom(500, 5_000) }) },
      ...(storage === "sound" ? [] : [{ weight: 4, arbitrary: fc.record({ is: fc.constant("storage"), fails: failing, how: fc.constantFrom("before", "after") }) }]),
    ) as fc.Arbitrary<Action>,
    { minLength: 5, maxLength: 40, size: "max" },
  );
}

/** A fix that a page has made. */
interface Made {
  user: string;
  job: string;
  tab: number;
  /** It is in storage, or was. */
  written: boolean;
}

interface Page {
  tab: Tab;
  number: number;
  user: string;
  played: PlayedCore;
  driver: Driver;
}

/** A phone that two drivers use in turn, and the service. */
class Phone {
  readonly time = new PlayedTime();
  readonly browser = new Browser();
  readonly service = new ModelService(this.time);
  readonly made = new Map<string, Made>();
  readonly random: () => number;
  readonly #kept = memoryStorage();
  readonly #moods = new Map<number | undefined, Mood>();
  readonly #ids = new Map<number, string>();
  readonly wrong = new Set<string>();
  pages: Page[] = [];
  user = "ann";
  #opened = 0;
  #metres = 0;
  #bad: "rejected" | "invalid_post" | undefined;
  #failing: Extract<Action, { is: "storage" }> = { is: "storage", fails: "nothing", how: "before" };

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.service.latency = () => 1 + Math.floor(this.random() * (this.random() < 0.1 ? 3_000 : 200));
    this.service.mood = (_, job) => this.#moods.get(JOBS.indexOf(job)) ?? this.#moods.get(undefined) ?? { is: "fine" };
  }

  /** How often entries of each user were made or written. */
  readonly #own = new Map<string, number>();
  #count(user: string, more: number) {
    this.#own.set(user, (this.#own.get(user) ?? 0) + more);
  }

  /** Notes what must not be; an error that is thrown here would be the page's to deal with. */
  #must(holds: boolean, what: string) {
    if (!holds) this.wrong.add(what);
  }

  /** The storage that all pages share, which sees to it that nothing is removed that the service has not spoken of. */
  #shared(page: () => Page): QueueStorage {
    const kept = this.#kept;
    return {
      ...kept,
      append: async (entries) => {
        for (const { user, fix } of entries) {
          this.#must(user === page().user, "queued as another's");
          this.made.get(fix.id)!.written = true;
        }
        for (const { fix } of entries) this.#ids.set(this.#ids.size + 1, fix.id);
        this.#count(page().user, entries.length);
        await kept.append(entries);
      },
      remove: async (keys) => {
        for (const key of keys) {
          const id = this.#ids.get(key)!;
          this.#must(this.service.judged.has(id), "removed before the service has answered for it");
          this.#must(this.made.get(id)!.user === page().user, "removed by another");
        }
        await kept.remove(keys);
      },
    };
  }

  open(): Page {
    const tab = new Tab(this.browser, this.time);
    const number = ++this.#opened;
    const played = playedCore(tab, this.service, this.user, this.random() < 0.8);
    const user = this.user;
    let flying = 0;
    const { http } = played.core;
    played.core = {
      ...played.core,
      http: async (ask) => {
        this.#must(!played.stopped, "asked when it is stopped");
        if (!ask.path.endsWith("location")) return http(ask);
        this.#must(++flying === 1, "two posts at a time");
        try {
          return await http(ask);
        } finally {
          flying -= 1;
        }
      },
    };
    let made = 0;
    const latency = () => Math.floor(this.random() * (this.random() < 0.1 ? 500 : 5));
    const fails = (call: keyof QueueStorage) =>
      this.random() < 0.7 && (this.#failing.fails === "everything" || (this.#failing.fails === "writes" && ["append", "remove"].includes(call))) ? this.#failing.how : undefined;
    const newId = () => {
      const id = `${user}/${number}/${++made}`;
      const { job } = page.driver?.state.get() ?? {};
      if (job !== undefined) {
        this.made.set(id, { user, job, tab: number, written: false });
        this.#count(user, 1);
      }
      if (job !== undefined && this.#bad !== undefined) {
        this.service.bad.set(id, this.#bad);
        this.#bad = undefined;
      }
      return id;
    };
    const page = { tab, number, user, played } as Page;
    page.driver = makeDriver(played.core, {
      storage: tab.storage(this.#shared(() => page), latency, fails),
      geolocation: null,
      permissions: null,
      locks: tab.locks,
      channel: tab.channel,
      persist: null,
      random: this.random,
      newId,
    });
    page.driver.state.subscribe(() => {
      const { waiting } = page.driver.state.get();
      // Each once in memory, and in storage as often as it was written: what was written, and is said not to be, is written again.
      this.#must(waiting <= (this.#own.get(page.user) ?? 0) + 1, "counts what is not its user's");
    });
    this.pages.push(page);
    return page;
  }

  /** The pages end one by one; a client that is stopped tells its driver so. */
  #end(page: Page, crash: boolean) {
    this.pages = this.pages.filter((other) => other !== page);
    if (crash) page.tab.kill();
    page.played.stopped = true;
    page.played.life().stop?.();
  }

  async do(action: Action): Promise<void> {
    if (action.is === "pass") return this.time.pass(action.ms);
    if (action.is === "mood") return void this.#moods.set(action.job, action.mood);
    if (action.is === "bad") return void (this.#bad = action.how);
    if (action.is === "storage") return void (this.#failing = action);
    if (action.is === "end_job") return void this.service.ended.set(JOBS[action.job]!, action.why);
    if (action.is === "open") return void (this.pages.length < 3 && this.open().driver.start(JOBS[this.#opened % 3]!));
    if (action.is === "change_user") {
      for (const page of this.pages) this.#end(page, false);
      this.user = USERS.find((user) => user !== this.user)!;
      this.open().driver.start(JOBS[this.#opened % 3]!);
      return;
    }
    const page = this.pages[action.tab % Math.max(1, this.pages.length)];
    if (page === undefined) return;
    const { driver, played } = page;
    if (action.is === "crash") this.#end(page, true);
    if (action.is === "stopped") this.#end(page, false);
    if (action.is === "show") played.visible.set(action.visible);
    if (action.is === "put_away") played.life().erase?.();
    if (action.is === "refresh") played.life().refresh?.();
    if (action.is === "start") driver.start(JOBS[action.job]!);
    if (action.is === "stop") driver.stop();
    // It is called off.
    if (action.is === "leave") void played.room().leave(action.ms).then(() => played.room().resume());
    if (action.is === "drive") {
      for (let step = 0; step < action.steps; step += 1) {
        driver.take(position((this.#metres += 20), this.time.now + this.time.offset));
        await this.time.pass(action.steps > 100 ? 1 : Math.floor(this.random() * 1_500));
      }
    }
  }

  /** All is well again, and both drivers open the page once more. */
  async rest(): Promise<void> {
    this.#moods.clear();
    this.#failing = { is: "storage", fails: "nothing", how: "before" };
    // What pages have in memory leaves from there.
    for (let left = 200; left > 0 && this.pages.some(({ driver }) => driver.state.get().waiting > 0 || !driver.state.get().durable); left -= 1) {
      for (const { played } of this.pages) played.visible.set(true);
      await this.time.pass(5_000);
    }
    assert.deepEqual([...this.wrong], []);
    for (const user of USERS) {
      for (const page of this.pages) this.#end(page, false);
      this.user = user;
      const page = this.open();
      // Pages that were stopped write what they were about to.
      await this.time.pass(60_000);
      for (let left = 200; left > 0 && (await this.#kept.count(user)) > 0; left -= 1) await this.time.pass(5_000);
      await this.time.pass(5_000);
      assert.equal(page.driver.state.get().waiting, 0);
      assert.equal(await this.#kept.count(user), 0, "the queue is empty");
    }
  }

  judge(inOrder: boolean) {
    assert.deepEqual([...this.wrong], []);
    for (const { user, job, ids } of this.service.seen) {
      assert.ok(ids.length <= 100);
      for (const id of ids) {
        const made = this.made.get(id)!;
        assert.deepEqual([made.user, made.job], [user, job], "sent as another's, or for another job");
      }
    }
    const taken = new Map<string, string>();
    for (const [job, fixes] of this.service.trail) {
      for (const { id } of fixes) {
        assert.ok(!taken.has(id), "twice");
        taken.set(id, job);
      }
      if (!inOrder) continue;
      const last = new Map<number, number>();
      for (const { id } of fixes) {
        const { tab } = this.made.get(id)!;
        const number = Number(id.split("/")[2]);
        assert.ok(number > (last.get(tab) ?? 0), `${id} after ${last.get(tab)}`);
        last.set(tab, number);
      }
    }
    for (const [id, { job, written }] of this.made) {
      if (written && !this.service.bad.has(id) && !this.service.ended.has(job)) assert.ok(taken.has(id), `${id} is lost`);
      if (written) assert.ok(this.service.judged.has(id), `${id} never came`);
    }
    return taken.size;
  }
}

/** How many phones of each kind; more by hand. */
const runs = Number(process.env.DRIVER_RUNS ?? 300);

for (const storage of ["sound", "refuses writes", "fails"] as const) {
  test(`whatever happens, each fix is there once, in order, as its own; storage ${storage}`, async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), actions(storage), async (seed, plan) => {
        const phone = new Phone(seed);
        phone.open().driver.start("job-1");
        for (const action of plan) await phone.do(action);
        await phone.rest();
        taken += phone.judge(storage !== "fails");
      }),
      // Making a failure small takes longer than all runs: leave the last of these out to see it.
      { numRuns: runs, includeErrorInReport: true, endOnFailure: true },
    );
    assert.ok(taken > runs * 20, `only ${taken}`);
  });
}
