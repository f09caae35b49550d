// What a client runs on in a test: time that the test plays, a page that it shows and hides, tabs that hear each other.

import type { Page, PageEvent, Platform, Tabs } from "../../src/client/platform.ts";
import type { Clock } from "../../src/client/types.ts";

/** A clock that the test moves. */
export function playedClock() {
  let now = 1_000;
  let timers: { at: number; call: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    wall: () => 1_800_000_000_000 + now,
    after(ms, call) {
      const timer = { at: now + ms, call };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
  };
  return {
    ...clock,
    /** How many calls are still to come. */
    pending: () => timers.length,
    /** Lets so much time pass, with all that is due in it in its order; promises settle in between. */
    async play(ms: number) {
      const end = now + ms;
      for (;;) {
        await settled();
        const due = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers = timers.filter((timer) => timer !== due);
        now = Math.max(now, due.at);
        due.call();
      }
      now = end;
      await settled();
    },
  };
}

/** Until every promise that can has settled. */
export async function settled() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A page, and what is done to it. */
export function shownPage() {
  const listeners: Partial<Record<PageEvent, Set<(event: { persisted?: boolean }) => void>>> = {};
  const loads: (string | undefined)[] = [];
  let isHidden = false;
  const page: Page = {
    hidden: () => isHidden,
    on(event, listener) {
      const set = (listeners[event] ??= new Set());
      set.add(listener);
      return () => void set.delete(listener);
    },
    load: (to) => void loads.push(to),
  };
  const fire = (event: PageEvent, persisted = false) => [...(listeners[event] ?? [])].forEach((listener) => listener({ persisted }));
  return {
    page,
    /** The documents that were loaded. */
    loads,
    fire,
    hide() {
      isHidden = true;
      fire("visibilitychange");
    },
    show() {
      isHidden = false;
      fire("visibilitychange");
    },
    /** How many listeners the page has. */
    listened: () => Object.values(listeners).reduce((sum, set) => sum + set.size, 0),
  };
}

/** The tabs of a browser. Each name is a channel, and nobody hears themselves. */
export function browserTabs() {
  const open = new Map<string, Set<Tabs>>();
  return {
    count: () => [...open.values()].reduce((sum, set) => sum + set.size, 0),
    tabs(name: string): Tabs {
      const all = open.get(name) ?? new Set();
      open.set(name, all);
      const tab: Tabs = {
        onmessage: null,
        postMessage(data) {
          if (!all.has(tab)) throw new Error("closed");
          for (const other of all) if (other !== tab) queueMicrotask(() => all.has(other) && other.onmessage?.({ data } as MessageEvent));
        },
        close: () => void all.delete(tab),
      };
      all.add(tab);
      return tab;
    },
  };
}

/** The clock of this machine. */
export const machineClock: Clock = {
  now: () => performance.now(),
  wall: Date.now,
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/** The clock of this machine, with some of its waits cut short, and some that last until the test ends them. */
export function bentClock(shorter: Record<number, number>, held: number[] = []) {
  const waiting = new Set<() => void>();
  const clock: Clock = {
    ...machineClock,
    after(ms, call) {
      if (!held.includes(ms)) return machineClock.after(shorter[ms] ?? ms, call);
      waiting.add(call);
      return () => void waiting.delete(call);
    },
  };
  /** What is held is due. */
  const due = () => {
    for (const call of [...waiting]) {
      waiting.delete(call);
      call();
    }
  };
  return { clock, due, waiting };
}

/** A tab's platform, of parts that a test gives. */
export function onTab(parts: Partial<Platform> & { page: Page | undefined }): Platform {
  return {
    clock: machineClock,
    fetch,
    tabs: browserTabs().tabs,
    eventSource: () => {
      throw new Error("no streams here");
    },
    kept: new Map(),
    ...parts,
  };
}
