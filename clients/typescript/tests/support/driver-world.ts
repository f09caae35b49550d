// A phone, its browser and the service, as a driver's page finds them: time is played, everything fails when it is told to, and a page can
// end between any two steps.

import type { Answer, Ask, Clock, Core, LeavingRoom, Life, Store } from "../../src/client/types.ts";
import type { ChannelLike, LocksLike } from "../../src/driver/tabs.ts";
import type { Entry, QueueStorage } from "../../src/driver/storage.ts";
import type { FixResult, PostAnswer } from "../../src/wire.ts";

/** Lets everything happen that waits for nothing but its turn. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Time that passes when it is told to, in the order of what waits for it. */
export class PlayedTime {
  now = 0;
  /** Wall clock less the clock that only grows. */
  offset = 1_800_000_000_000;
  #timers: { at: number; call: () => void }[] = [];

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.now + Math.max(0, ms), call };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    await settled();
    for (let steps = 0; ; steps += 1) {
      // What begins anew at once, whatever becomes of it, never lets time pass.
      if (steps > 1_000 + 50 * ms) throw new Error("time does not pass");
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.now = Math.max(this.now, due.at);
      due.call();
      await settled();
    }
    this.now = end;
  }
}

/** Numbers by a seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the service does with a post: as it should, or one of the ways in which it does not. */
export type Mood =
  | { is: "fine" }
  /** Taken, and the answer never arrives. */
  | { is: "answer_lost" }
  /** Never arrives. */
  | { is: "lost" }
  | { is: "again"; status: number; afterMs?: number }
  | { is: "refused"; status: number; type: string; reason?: string }
  /** A 200 of somebody else's. */
  | { is: "portal" }
  /** Posts of more than so many fixes are too large. */
  | { is: "small"; most: number };

/** The service, as `docs/http.md` has it. */
export class ModelService {
  mood: (user: string, job: string) => Mood = () => ({ is: "fine" });
  /** What is in each job's trail, in order. */
  readonly trail = new Map<string, { user: string; id: string; capturedAt: number }[]>();
  /** What the service has said of a fix, so that whoever has sent it may forget it; by id. */
  readonly judged = new Set<string>();
  /** Every id that has come, and under which user and job; also of posts that were refused. */
  readonly seen: { user: string; job: string; ids: string[]; sentAt: number; keepalive: boolean; at: number }[] = [];
  readonly heartbeats: { user: string; job: string; state: string; at: number }[] = [];
  /** Jobs that have ended, or that another has. */
  readonly ended = new Map<string, "reassigned" | "job_closed">();
  /** Fixes that are refused: alone, or with all that come with them. */
  readonly bad = new Map<string, "rejected" | "invalid_post">();
  readonly time: PlayedTime;
  latency = () => 50;

  constructor(time: PlayedTime) {
    this.time = time;
  }

  async ask(user: string, { path, body, keepalive = false }: Ask): Promise<Answer<unknown>> {
    const [, job = "", what] = /^\/api\/jobs\/([\w.-]+)\/(\w+)/.exec(path) ?? [];
    const mood = this.mood(user, job);
    const nothing = { is: "again", status: undefined, type: undefined, reason: undefined, afterMs: undefined } as const;
    await this.time.wait(this.latency());
    if (mood.is === "lost") return nothing;
    if (path === "/api/whoami") return { is: "ok", status: 200, body: { userId: user }, etag: undefined };
    const ok = (body: unknown): Answer<unknown> => ({ is: "ok", status: 200, body, etag: undefined });
    const send = async (body: unknown) => {
      await this.time.wait(this.latency());
      return mood.is === "answer_lost" ? nothing : ok(body);
    };
    if (what === "heartbeat") {
      if (mood.is === "again") return { is: "again", status: mood.status, type: undefined, reason: undefined, afterMs: mood.afterMs };
      if (mood.is === "refused") return { is: "refused", status: mood.status, type: mood.type, reason: mood.reason };
      this.heartbeats.push({ user, job, state: (body as { state: string }).state, at: this.time.now });
      return send({ ok: true, jobId: job, status: this.ended.get(job) ?? "heard" });
    }
    const { locations, sentAt } = body as { locations: { id: string; capturedAt: number }[]; sentAt: number };
    this.seen.push({ user, job, ids: locations.map(({ id }) => id), sentAt, keepalive, at: this.time.now });
    if (mood.is === "again") return { is: "again", status: mood.status, type: "unavailable", reason: undefined, afterMs: mood.afterMs };
    if (mood.is === "refused") return { is: "refused", status: mood.status, type: mood.type, reason: mood.reason };
    if (mood.is === "portal") return ok(undefined);
    if (locations.length > 100) return { is: "refused", status: 413, type: "too_large", reason: "too_many" };
    if (mood.is === "small" && locations.length > mood.most) return { is: "refused", status: 413, type: "too_large", reason: "too_large" };
    const [first] = locations;
    if (locations.length === 1 && first !== undefined && this.bad.has(first.id)) this.judged.add(first.id);
    if (locations.some(({ id }) => this.bad.get(id) === "invalid_post")) return { is: "refused", status: 400, type: "invalid_post", reason: "wrong_type" };
    for (const { id } of locations) this.judged.add(id);
    const results = locations.map((fix, index) => this.#take(user, job, fix, index));
    return send({ ok: true, jobId: job, epoch: 1, results } satisfies PostAnswer);
  }

  #take(user: string, job: string, { id, capturedAt }: { id: string; capturedAt: number }, index: number): FixResult {
    const trail = this.trail.get(job) ?? this.trail.set(job, []).get(job)!;
    const before = trail.findIndex((fix) => fix.user === user && fix.id === id);
    if (before !== -1) return { status: "duplicate", seq: before + 1 };
    const reason = this.bad.has(id) ? "out_of_range" : this.ended.get(job);
    if (reason !== undefined) return { status: "rejected", index, reason, detail: "" };
    trail.push({ user, id, capturedAt });
    return { status: "accepted", seq: trail.length };
  }
}

/** The locks of a browser, and its channels, which its tabs share. */
export class Browser {
  readonly locks = new Map<string, { held: Held | undefined; waiting: Held[] }>();
  readonly channels = new Map<string, Set<Listener>>();
}

interface Held {
  tab: Tab;
  callback: () => Promise<void>;
  reject: (error: Error) => void;
  resolve: () => void;
}

interface Listener {
  tab: Tab;
  heard: (event: { data: unknown }) => void;
}

/** One life of a page: what it is given works as long as it lives, and never again. */
export class Tab {
  alive = true;
  readonly browser: Browser;
  readonly time: PlayedTime;

  constructor(browser: Browser, time: PlayedTime) {
    this.browser = browser;
    this.time = time;
  }

  /** Ends the page, as a crash does. What it has asked for may still happen; nobody hears of it. */
  kill(): void {
    this.alive = false;
    for (const lock of this.browser.locks.values()) {
      lock.waiting = lock.waiting.filter(({ tab }) => tab !== this);
      if (lock.held?.tab === this) {
        lock.held = undefined;
        grant(lock);
      }
    }
    for (const listeners of this.browser.channels.values()) for (const one of listeners) if (one.tab === this) listeners.delete(one);
  }

  /** A promise that is never settled for a page that is gone. */
  mine<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => void (this.alive && resolve(value)),
        (error) => void (this.alive && reject(error)),
      );
    });
  }

  get clock(): Clock {
    return {
      now: () => this.time.now,
      wall: () => this.time.now + this.time.offset,
      after: (ms, call) => this.time.after(ms, () => void (this.alive && call())),
    };
  }

  /** Storage that takes its time, and fails where `fails` says so: before it has done anything, or after all is done. */
  storage(shared: QueueStorage, latency: () => number = () => 0, fails: (call: keyof QueueStorage) => "before" | "after" | undefined = () => undefined): QueueStorage {
    const through = <T>(name: keyof QueueStorage, call: () => Promise<T>): Promise<T> => {
      const run = async () => {
        const how = fails(name);
        // A page that is gone by then has asked for nothing.
        await this.time.wait(latency());
        if (!this.alive) return new Promise<T>(() => {});
        if (how === "before") throw new Error("refused");
        const result = await call();
        // And one that is gone by now has, and does not hear of it.
        await this.time.wait(latency());
        if (how === "after") throw new Error("refused");
        return result;
      };
      return this.mine(run());
    };
    return {
      append: (entries) => through("append", () => shared.append(entries)),
      jobs: (user) => through("jobs", () => shared.jobs(user)),
      oldest: (user, job, limit) => through("oldest", () => shared.oldest(user, job, limit)),
      count: (user) => through("count", () => shared.count(user)),
      remove: (keys) => through("remove", () => shared.remove(keys)),
      clear: (user) => through("clear", () => shared.clear(user)),
    };
  }

  get locks(): LocksLike {
    return {
      request: (name, { steal, signal }, callback) =>
        this.mine(
          new Promise<void>((resolve, reject) => {
            const lock = this.browser.locks.get(name) ?? { held: undefined, waiting: [] };
            this.browser.locks.set(name, lock);
            const held: Held = { tab: this, callback, resolve, reject };
            signal?.addEventListener("abort", () => {
              if (!lock.waiting.includes(held)) return;
              lock.waiting = lock.waiting.filter((other) => other !== held);
              reject(new Error("aborted"));
            });
            if (steal) {
              lock.held?.reject(new Error("stolen"));
              lock.held = undefined;
              lock.waiting.unshift(held);
            } else {
              lock.waiting.push(held);
            }
            grant(lock);
          }),
        ),
    };
  }

  channel = (name: string): ChannelLike => {
    const listeners = this.browser.channels.get(name) ?? new Set();
    this.browser.channels.set(name, listeners);
    const own = new Set<Listener>();
    let closed = false;
    return {
      addEventListener: (_, heard) => {
        const listener = { tab: this, heard };
        own.add(listener);
        listeners.add(listener);
      },
      postMessage: (data) => {
        if (closed) throw new Error("closed");
        const copy = structuredClone(data);
        for (const listener of listeners) if (!own.has(listener)) setImmediate(() => void (listener.tab.alive && listener.heard({ data: copy })));
      },
      close: () => {
        closed = true;
        for (const listener of own) listeners.delete(listener);
      },
    };
  };
}

function grant(lock: { held: Held | undefined; waiting: Held[] }) {
  if (lock.held !== undefined) return;
  const held = lock.waiting.shift();
  if (held === undefined) return;
  lock.held = held;
  setImmediate(() => {
    if (!held.tab.alive || lock.held !== held) return;
    void held.callback().then(() => {
      if (lock.held !== held) return;
      lock.held = undefined;
      held.resolve();
      grant(lock);
    });
  });
}

/** Something that a test sets. */
export function settable<T>(value: T): Store<T> & { set(value: T): void } {
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const changed of [...listeners]) changed();
    },
    subscribe(changed) {
      listeners.add(changed);
      return () => void listeners.delete(changed);
    },
  };
}

/** What a driver is made with, and what a test does with it. */
export interface PlayedCore {
  core: Core;
  visible: ReturnType<typeof settable<boolean>>;
  life: () => Partial<Life>;
  /** What it is at a sign-out. */
  room: () => LeavingRoom;
  /** The session is over, or somebody else's. */
  stopped: boolean;
  /** What the client has asked the service. */
  asked: string[];
}

/** The client of a user, in a tab. `known`: whether it is said from the beginning whose it is, or only with the first answer. */
export function playedCore(tab: Tab, service: ModelService, user: string, known = true): PlayedCore {
  const visible = settable(true);
  let life: Partial<Life> = {};
  let room: LeavingRoom = { leave: async () => 0, resume() {}, forget: async () => {} };
  let says = known ? user : undefined;
  const made = new Map<string, unknown>();
  const played: PlayedCore = {
    core: {
      url: "https://towline.example",
      user: () => says,
      clock: tab.clock,
      http: async (ask) => {
        if (played.stopped) return { is: "stopped" };
        played.asked.push(ask.path);
        const answer = await tab.mine(service.ask(user, ask));
        if (answer.is !== "again" || answer.status !== undefined) says = user;
        return played.stopped ? { is: "stopped" } : (answer as Answer<never>);
      },
      channels: undefined,
      stream: undefined,
      connection: { get: () => ({ state: "idle" }), subscribe: () => () => {} },
      isStopped: () => played.stopped,
      visible,
      live(given) {
        life = given;
        return () => {};
      },
      leaving(given) {
        room = given;
        return () => {};
      },
      one<T>(name: string, make: () => T): T {
        if (!made.has(name)) made.set(name, make());
        return made.get(name) as T;
      },
      forget: (name) => void made.delete(name),
    },
    visible,
    life: () => life,
    room: () => room,
    stopped: false,
    asked: [],
  };
  return played;
}

/** A position so many metres north of the first one. */
export function position(metres: number, at: number, coords: Partial<GeolocationCoordinates> = {}) {
  return { coords: { latitude: 48 + metres / 111_195, longitude: 16, accuracy: 5, altitude: null, heading: null, speed: 12, ...coords }, timestamp: at };
}

/** Entries, as a queue is given them. */
export function entry(user: string, job: string, id: string, more: Partial<Entry> = {}): Entry {
  return { user, job, fix: { id, lat: 1, lng: 2, capturedAt: 0 }, wall: 0, mono: 0, run: "run", ...more };
}
