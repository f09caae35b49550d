// A core that a test plays: its clock, what the service answers, what comes on channels and streams, and what the page does.

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import type { Answer, Ask, ChannelListener, Clock, Connection, Core, EventSourceLike, Life, Store } from "../../src/client/types.ts";
import type { Feed, Input } from "../../src/view/types.ts";

// What is loaded when it is needed is there already: loading takes turns that no test can count.
await import("../../src/live/index.ts");

export class FakeClock implements Clock {
  #now = 1_000;
  #timers = new Set<{ at: number; call: () => void }>();
  now = () => this.#now;
  wall = () => 1_795_000_000_000 + this.#now;
  after = (ms: number, call: () => void) => {
    const timer = { at: this.#now + ms, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };
  get waiting() {
    return this.#timers.size;
  }
  /** Lets so much time pass, and all that is due happen in its order. */
  async pass(ms: number) {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.call();
      await settled();
    }
    this.#now = end;
  }
}

/** What follows from what has happened has happened. */
export async function settled() {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

/** What is reported as thrown by nobody's call, until the test ends. */
export function throws(t: { after(end: () => void): void }): string[] {
  const thrown: string[] = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", ({ message }) => void thrown.push(message));
  t.after(() => {
    process.removeAllListeners("uncaughtException");
    for (const other of others) process.on("uncaughtException", other);
  });
  return thrown;
}

export async function until(what: string, holds: () => boolean) {
  for (let turn = 0; !holds(); turn++) {
    assert.ok(turn < 20_000, `waited in vain for ${what}`);
    await setImmediate();
  }
}

export class FakeStore<T> implements Store<T> {
  readonly listeners = new Set<() => void>();
  #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  get = () => this.#value;
  subscribe = (changed: () => void) => {
    const call = () => changed();
    this.listeners.add(call);
    return () => void this.listeners.delete(call);
  };
  set(value: T) {
    this.#value = value;
    for (const call of [...this.listeners]) call();
  }
}

export class FakeSource implements EventSourceLike {
  readyState = 0;
  readonly path: string;
  #listeners: [string, (event: { data?: unknown; lastEventId?: string }) => void][] = [];
  constructor(path: string) {
    this.path = path;
  }
  addEventListener(name: string, listener: (event: { data?: unknown; lastEventId?: string }) => void) {
    this.#listeners.push([name, listener]);
  }
  close() {
    this.readyState = 2;
  }
  tell(name: string, data?: unknown, lastEventId = "") {
    for (const [its, listener] of this.#listeners) if (its === name) listener({ data: JSON.stringify(data), lastEventId });
  }
  /** The connection breaks, and it comes again by itself. */
  breaks() {
    this.readyState = 0;
    this.tell("error");
  }
  /** An answer that is not 200. */
  fails() {
    this.readyState = 2;
    this.tell("error");
  }
}

export const ok = <T>(body: T, etag?: string): Answer<T> => ({ is: "ok", status: 200, body, etag });
export const again = (afterMs?: number): Answer<never> => ({ is: "again", status: undefined, type: undefined, reason: undefined, afterMs });
export const refused = (type: string, status = 403): Answer<never> => ({ is: "refused", status, type, reason: undefined });

export class FakeCore implements Core {
  readonly url = "";
  readonly clock = new FakeClock();
  readonly connection = new FakeStore<Connection>({ state: "idle" });
  isStopped = () => false;
  readonly visible = new FakeStore(true);
  readonly asks: Ask[] = [];
  readonly lives = new Set<Partial<Life>>();
  readonly sources: FakeSource[] = [];
  /** By channel. */
  readonly listened = new Map<string, Set<ChannelListener>>();
  readonly entered: { channel: string; data: unknown }[] = [];
  /** What the service answers. */
  answer: (ask: Ask) => Answer<unknown> | Promise<Answer<unknown>> = () => again();
  name: string | undefined = "ann";
  user = () => this.name;

  #made = new Map<string, unknown>();

  http = async <T>(ask: Ask): Promise<Answer<T>> => {
    this.asks.push(ask);
    return (await this.answer(ask)) as Answer<T>;
  };
  channels: Core["channels"] = {
    listen: (channel, listener) => {
      const all = this.listened.get(channel) ?? new Set();
      this.listened.set(channel, all);
      all.add(listener);
      return () => {
        all.delete(listener);
        if (all.size === 0) this.listened.delete(channel);
      };
    },
    enter: (channel, data) => {
      const one = { channel, data };
      this.entered.push(one);
      return () => void this.entered.splice(this.entered.indexOf(one), 1);
    },
  };
  stream: Core["stream"] = (path) => {
    const source = new FakeSource(path);
    this.sources.push(source);
    return source;
  };
  live = (life: Partial<Life>) => {
    this.lives.add(life);
    return () => void this.lives.delete(life);
  };
  leaving = () => () => {};
  /** What was told of the service by streams. */
  reached: boolean[] = [];
  heard = (answered: boolean) => void this.reached.push(answered);
  one = <T>(name: string, make: () => T): T => {
    if (!this.#made.has(name)) this.#made.set(name, make());
    return this.#made.get(name) as T;
  };
  forget = (name: string) => void this.#made.delete(name);

  /** The listener of a channel. */
  on(channel: string): ChannelListener {
    const [listener] = this.listened.get(channel) ?? [];
    assert.ok(listener, `somebody listens to ${channel}`);
    return listener;
  }
  page(what: keyof Life) {
    for (const life of [...this.lives]) life[what]?.();
  }
  /** Nothing is listened to, waited for or open. */
  assertQuiet() {
    assert.deepEqual(
      [this.listened.size, this.lives.size, this.visible.listeners.size, this.connection.listeners.size, this.clock.waiting, this.sources.filter(({ readyState }) => readyState !== 2).length],
      [0, 0, 0, 0, 0, 0],
      "channels, lives, listeners of the page and of the connection, timers, streams",
    );
  }
}

/** A feed that is listened to as a view does: until it is left, or has told of the end. `take` says in short what has come, a link that stays as it was once. */
export function listened(feed: Feed) {
  let up: boolean | undefined;
  let opened: ReturnType<Feed> | undefined;
  let isOpen = true;
  const inputs: Input[] = [];
  const leave = () => {
    isOpen = false;
    opened?.stop();
    opened = undefined;
  };
  opened = feed("job-1", (input) => {
    assert.ok(isOpen || input.is !== "first", "nothing comes after the end");
    if (!isOpen || (input.is === "link" && input.up === up)) return;
    if (input.is === "link") up = input.up;
    inputs.push(input);
    if (input.is === "refused" ? input.why === "ended" : input.is === "message" && input.name === "job.closed") leave();
  });
  const brief = (input: Input) => {
    if (input.is === "first") return `first ${input.state.withheld ? "withheld" : input.state.seq}`;
    return input.is === "message" ? input.name : input.is === "link" ? `link ${input.up}` : input.is === "refused" ? input.why : input.is;
  };
  return { inputs, leave, ask: () => opened?.ask(), take: () => inputs.splice(0).map(brief) };
}
