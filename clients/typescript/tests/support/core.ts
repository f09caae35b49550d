// A core whose clock, service and page a test plays.

import type { Answer, Ask, Clock, Connection, Core, Life, Store } from "../../src/client/types.ts";
import type { Feed, Input } from "../../src/view/types.ts";

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #now = 0;
  #due: { at: number; call: () => void }[] = [];

  now = (): number => this.#now;
  wall = (): number => 1_795_564_722_000 + this.#now;

  after(ms: number, call: () => void): () => void {
    const due = { at: this.#now + ms, call };
    this.#due.push(due);
    return () => {
      this.#due = this.#due.filter((other) => other !== due);
    };
  }

  /** How many calls are still to come. */
  get waiting(): number {
    return this.#due.length;
  }

  /** Lets so much time go by; what answers at once has answered before the next call. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      this.#due = this.#due.filter((other) => other !== next);
      next.call();
    }
    this.#now = end;
  }
}

/** Whatever is under way without time going by has come to its end. */
export const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

/** A core of a user `ann`. `answers` answers each request. */
export function fakeCore(answers: (ask: Ask) => Promise<Answer<unknown>> | Answer<unknown>) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const lives = new Set<Partial<Life>>();
  const things = new Map<string, unknown>();
  const fixed = <T>(value: T): Store<T> => ({ get: () => value, subscribe: () => () => {} });
  const core: Core = {
    url: "",
    user: () => "ann",
    clock,
    http: async <T>(ask: Ask) => {
      asked.push(ask.path);
      return (await answers(ask)) as Answer<T>;
    },
    channels: undefined,
    stream: undefined,
    connection: fixed<Connection>({ state: "connected" }),
    isStopped: () => false,
    visible: fixed(true),
    live(life) {
      lives.add(life);
      return () => lives.delete(life);
    },
    leaving: () => () => {},
    one<T>(name: string, make: () => T): T {
      if (!things.has(name)) things.set(name, make());
      return things.get(name) as T;
    },
    forget: (name) => void things.delete(name),
  };
  return { core, clock, asked, lives };
}

/** A feed that a test plays: `give` goes to all who have a job open. */
export function fakeFeed() {
  const open = new Set<(input: Input) => void>();
  let opened = 0;
  let asked = 0;
  const feed: Feed = (_jobId, give) => {
    opened++;
    const one = (input: Input) => give(input);
    open.add(one);
    return { ask: () => void asked++, stop: () => void open.delete(one) };
  };
  return {
    feed,
    give: (...inputs: Input[]) => inputs.forEach((input) => [...open].forEach((one) => one(input))),
    get isOpen() {
      return open.size;
    },
    /** How often one of them was told to ask. */
    get asked() {
      return asked;
    },
    get opened() {
      return opened;
    },
  };
}
