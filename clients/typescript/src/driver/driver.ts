// A driver's page: positions come in, and go into the queue as this user's and for this job.

import { store } from "../client/store.ts";
import type { Core } from "../client/types.ts";
import { isJobId } from "../ids.ts";
import { createHeartbeat } from "./heartbeat.ts";
import { indexedDbStorage } from "./indexed-db.ts";
import { createQueue } from "./queue.ts";
import { createSampler, measuredBy, type PhonePosition, readingOf, type Sampler } from "./sampling.ts";
import { createSender } from "./sender.ts";
import type { Entry } from "./storage.ts";
import { type ChannelLike, type Turn, waitForTurn } from "./tabs.ts";
import type { Driver, DriverOptions, DriverState } from "./types.ts";
import { createWatch } from "./watch.ts";

/** How often it is looked after everything that is due. */
const TICK_MS = 5_000;
/** Asks for nothing, but gets a session, and that says whose client this is. */
const WHOSE = "/api/whoami";
/** How often it is looked whether all has left. */
const LOOK_MS = 100;
/** How much longer than it may take something is waited for, where storage or service do not answer. */
const PATIENCE_MS = 1_000;

/** What one tab tells the others of this user. */
type Told =
  /** The queue has changed. */
  | { is: "changed" }
  /** This tab shares now, so no other says that the driver is off duty. */
  | { is: "started" }
  | { is: "ended"; job: string; why: "reassigned" | "job_closed" };

export function makeDriver(core: Core, options: DriverOptions = {}): Driver {
  const { clock, http } = core;
  const browser = globalThis.navigator as Navigator | undefined;
  const {
    storage = indexedDbStorage(`towline-driver ${core.url}`),
    geolocation = browser?.geolocation,
    permissions = browser?.permissions,
    locks = browser?.locks,
    channel = typeof BroadcastChannel === "undefined" ? null : (name: string) => new BroadcastChannel(name),
    persist = () => browser?.storage?.persist?.(),
    random = Math.random,
    newId = () => crypto.randomUUID(),
  } = options;

  const state = store<DriverState>({
    job: undefined,
    sharing: false,
    waiting: 0,
    oldestAt: undefined,
    durable: true,
    sending: "idle",
    heldBy: undefined,
    sender: "another_tab",
    permission: "unknown",
    lastFixAt: undefined,
    lastSentAt: undefined,
    rejected: {},
    ended: undefined,
  });

  function become(change: Partial<DriverState>) {
    const names = Object.keys(change) as (keyof DriverState)[];
    const now = state.get();
    if (names.some((name) => now[name] !== change[name])) state.set({ ...now, ...change });
  }

  const run = newId();
  let stopped = false;
  /** Somebody is signing out: what is taken now would be deleted, uncounted. */
  let leaving = false;
  const measured = measuredBy();
  let sampler: Sampler = createSampler();
  let persisted = false;
  /** What was taken before it is known whose client this is; it is that one's. */
  let early: Omit<Entry, "user">[] = [];
  let turn: Turn | undefined;
  let others: ChannelLike | undefined;
  const tell = (told: Told) => others?.postMessage(told);

  const queue = createQueue(clock, storage, (count) => reject("queue_full", count));
  const sender = createSender(
    { http, clock, random, queue, run, user: core.user },
    {
      changed() {
        const { state: sending, by } = sender.get();
        become({ sending, heldBy: by });
        recount();
      },
      sent() {
        become({ lastSentAt: clock.wall() });
        tell({ is: "changed" });
      },
      rejected(job, reason) {
        reject(reason, 1);
        if (reason === "reassigned" || reason === "job_closed") {
          tell({ is: "ended", job, why: reason });
          end(job, reason);
        }
      },
      stopped: halt,
    },
  );
  const heartbeat = createHeartbeat(core, () => (state.get().permission === "denied" ? "no_permission" : sampler.state(clock.now())), end);
  const watch = createWatch(
    { clock, geolocation, permissions },
    take,
    (permission) => become({ permission }),
  );

  function reject(reason: string, count: number) {
    const { rejected } = state.get();
    become({ rejected: { ...rejected, [reason]: (rejected[reason] ?? 0) + count } });
  }

  let counting = false;
  let countAgain = false;
  /** Brings what the state says of the queue up to date; one look at a time. */
  async function recount(): Promise<void> {
    countAgain = true;
    if (counting) return;
    counting = true;
    while (countAgain) {
      countAgain = false;
      const user = core.user();
      const heads = [];
      let waiting = early.length;
      if (user !== undefined) {
        waiting += await queue.count(user);
        for (const job of waiting > 0 ? await queue.jobs(user) : []) heads.push(...(await queue.oldest(user, job, 1)));
      }
      const oldestAt = [...early.slice(0, 1), ...heads].map(({ wall }) => wall).sort((a, b) => a - b)[0];
      become({ waiting, oldestAt, durable: early.length === 0 && queue.durable() });
    }
    counting = false;
  }

  /** Once it is known whose client this is: takes part in sending for that user. */
  function begin(): string | undefined {
    const user = core.user();
    if (user === undefined || stopped) return undefined;
    if (turn === undefined) {
      const name = `towline-driver ${core.url} ${user}`;
      others = channel?.(name);
      others?.addEventListener("message", ({ data }) => hear(data as Told));
      if (state.get().sharing) tell({ is: "started" });
      turn = waitForTurn(locks, name, (mine) => {
        become({ sender: mine ? "this_tab" : "another_tab" });
        sender.may(mine);
      });
      if (core.visible.get()) turn.take();
    }
    for (const entry of early.splice(0)) void add({ ...entry, user });
    return user;
  }

  function hear(told: Told) {
    if (told.is === "changed") sender.poke();
    if (told.is === "started" && !state.get().sharing) heartbeat.end();
    if (told.is === "ended") end(told.job, told.why);
    void recount();
  }

  async function add(entry: Entry): Promise<void> {
    await queue.add(entry);
    if (stopped) return;
    if (state.get().sender === "this_tab") sender.poke();
    else tell({ is: "changed" });
    void recount();
  }

  function take(position: PhonePosition) {
    const { job, sharing } = state.get();
    if (job === undefined || !sharing || stopped || leaving) return;
    const wall = clock.wall();
    const now = clock.now();
    const reading = readingOf(position, wall);
    if (reading === undefined) return;
    become({ lastFixAt: wall });
    const capturedAt = measured(reading.capturedAt, now, wall);
    if (!sampler.take(reading, now)) return;
    heartbeat.said();
    early.push({ job, fix: { ...reading, capturedAt, id: newId() }, wall, mono: now, run });
    if (begin() === undefined) void recount();
  }

  /** The job takes nothing more of this driver. */
  function end(job: string, why: "reassigned" | "job_closed") {
    if (heartbeat.job() !== job) return;
    heartbeat.end();
    watch.stop();
    become({ sharing: false, ended: why });
  }

  function tick() {
    if (stopped) return;
    clock.after(TICK_MS, tick);
    watch.check();
    if (begin() === undefined) void http({ path: WHOSE }).then(begin);
    heartbeat.check();
    void queue.settle().then(() => {
      sender.poke();
      return recount();
    });
  }

  /** The client belongs to nobody any more. What waits is kept for its user. */
  function halt() {
    if (stopped) return;
    stopped = true;
    const user = core.user();
    // At a sign-out it was counted as left.
    const isKept = user !== undefined && core.connection.get().reason !== "signed_out";
    for (const entry of early.splice(0)) if (isKept) void queue.add({ ...entry, user });
    heartbeat.end();
    watch.stop();
    sender.stop();
    turn?.stop();
    others?.close();
    others = undefined;
    become({ sharing: false, job: undefined, sending: "idle", heldBy: undefined });
  }

  /** The user looks at this tab. */
  function seen() {
    turn?.take();
    watch.rearm();
    sender.poke(true);
  }

  function refresh() {
    sender.release();
    if (core.visible.get()) seen();
    else sender.poke(true);
  }

  const inMemory = () => early.length + queue.unwritten(core.user() ?? "");

  /** Sends what can be sent within `ms`, and then says that the driver is off duty. */
  async function leave(ms: number): Promise<number> {
    leaving = true;
    begin();
    turn?.take();
    sender.release();
    sender.poke(true);
    const end = clock.now() + ms;
    async function counted(): Promise<number> {
      for (;;) {
        const user = core.user();
        const left = early.length + (user === undefined ? 0 : await queue.count(user));
        if (left === 0 || stopped || clock.now() >= end) return left;
        await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
      }
    }
    let done = () => {};
    const late = new Promise<void>((resolve) => (done = clock.after(ms + PATIENCE_MS, resolve)));
    // Where storage does not answer, it is what was known last, and what would be gone with this page.
    const left = await Promise.race([counted(), late.then(() => Math.max(state.get().waiting, inMemory()))]);
    await Promise.race([heartbeat.off(), late]);
    done();
    return left;
  }

  function resume() {
    leaving = false;
    const { job, sharing } = state.get();
    if (job !== undefined && sharing) heartbeat.begin(job);
  }

  async function forget() {
    early = [];
    const user = core.user();
    if (user !== undefined) await queue.clear(user);
  }

  let begun = false;
  /** With the first who wants to know, or who starts; so it does nothing on a server. */
  function wake() {
    if (begun) return;
    begun = true;
    if (core.isStopped()) return halt();
    core.live({ refresh, erase: () => sender.poke(true), stop: halt });
    // Hidden is the last that many a page hears.
    core.visible.subscribe(() => (core.visible.get() ? seen() : sender.poke(true)));
    core.leaving({ leave, resume, forget });
    tick();
  }

  return {
    state: {
      get: state.get,
      subscribe(changed) {
        wake();
        return state.subscribe(changed);
      },
    },
    start(jobId) {
      if (!isJobId(jobId)) throw new RangeError("not a job id");
      wake();
      if (stopped) return;
      if (!persisted) void Promise.resolve(persist?.()).catch(() => {});
      persisted = true;
      const { job, sharing } = state.get();
      if (job !== jobId || !sharing) {
        sampler = createSampler();
        if (!leaving) heartbeat.begin(jobId);
        become({ job: jobId, sharing: true, ended: undefined });
        watch.start();
        begin();
        tell({ is: "started" });
      }
      sender.release(jobId);
    },
    stop() {
      void heartbeat.off();
      watch.stop();
      become({ job: undefined, sharing: false });
    },
    take,
  };
}
