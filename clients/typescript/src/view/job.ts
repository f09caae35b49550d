// A job that somebody looks at: its inputs come as long as they do, its holes are filled, and whoever looks is told of each change.

import { each } from "../client/store.ts";
import { timer } from "../client/timer.ts";
import type { Core, Store } from "../client/types.ts";
import type { FirstState, TrailPage } from "../wire.ts";
import { ageMs, SEED_MS, STALE_AFTER_MS } from "./initial.ts";
import { queue } from "./queue.ts";
import { ask, begin, points, reduce, type State } from "./reduce.ts";
import { show, staleAt } from "./show.ts";
import { NO_TIME } from "./time.ts";
import type { Feed, Input, JobSnapshot, TrailPoint } from "./types.ts";

/** A job of this client; all of a tab share it. */
export interface LiveJob {
  readonly jobId: string;
  /** What is shown of it. It is watched as long as somebody has subscribed to this, to `stale` or to `trail`, and a second longer. */
  readonly store: Store<JobSnapshot>;
  /** The same, with another age from which a position is `stale`, in milliseconds; `store` has 30,000. */
  stale(staleAfterMs: number): Store<JobSnapshot>;
  /**
   * The trail of the epoch, by time; the newest 20,000 points. The whole of it is fetched once somebody has subscribed, and kept as long as
   * the job is watched.
   */
  readonly trail: Store<readonly TrailPoint[]>;
  /**
   * Shows a first state that a server has rendered, until there is a newer one: once, so that the same one out of a router's cache or the
   * history is not shown again. For browsers only, and for when nobody has subscribed yet: while rendering.
   */
  seed(initial: FirstState): void;
  /** Asks anew. */
  refresh(): void;
}

/** How long a job is watched when nobody looks: StrictMode, and a page that is replaced by one with the same job. */
const LINGER_MS = 1_000;
/** So many requests for trails at once, over all jobs. */
const AT_ONCE = 6;
/**
 * What a phone says of itself comes with first states alone. Whoever is not heard of is asked about when the last one is so old; looked for so
 * often, by chance, so that not all who see a driver go silent ask at once; and over all jobs of a tab so seldom.
 */
const [ASK_MS, LOOK_MS, ASKS_APART_MS] = [30_000, 5_000, 1_000];
/** Where a snapshot's age is off by so much, it is another one. */
const AGE_OFF_MS = 500;

/** The job of this id. `random`: 0 … 1, so that not all pages ask at once. */
export const liveJob = (core: Core, feed: Feed, jobId: string, random: () => number = Math.random): LiveJob =>
  core.one(`job:${jobId}`, () => make(core, feed, jobId, random));

/** What must be known of a job that nobody watches any more, where there is something: that it has ended, or what is not to be shown again. */
interface Left {
  state: State;
  seeded: number;
}

function make(core: Core, feed: Feed, jobId: string, random: () => number): LiveJob {
  const { clock } = core;
  const now = () => clock.now();
  // What any job has learnt of the service's clock holds for the next.
  const shared = core.one("jobs", () => ({ time: NO_TIME, fillings: queue(AT_ONCE), asked: -Infinity, left: new Map<string, Left>() }));
  const left = shared.left.get(jobId);

  let state = left?.state ?? begin(jobId, shared.time);
  /** What shows something of it. */
  const shows = new Set<() => void>();
  let watchers = 0;
  let isStopped = core.isStopped();
  /** Of which `now` the newest first state was that it has been seeded with. */
  let seeded = left?.seeded ?? -Infinity;
  /** There while something may be shown: the page's life is told no longer. */
  let unlive: (() => void) | undefined;
  /** There while the feed brings its inputs. */
  let open: ReturnType<Feed> | undefined;
  const linger = timer(clock);
  const wondering = timer(clock);
  /** When the feed was last told to ask. */
  let asked = -Infinity;

  function set(input: Input | State): void {
    const next = "is" in input ? reduce(state, input) : input;
    if (next === state) return;
    state = next;
    shared.time = state.time;
    for (const look of [...shows]) look();
  }

  function give(input: Input): void {
    set(input);
    if (state.hidden === "ended") unfeed();
    if (input.is === "link" && input.up) again();
    else fill();
  }

  // When it is watched.
  function hold(): void {
    linger();
    const erase = () => set({ is: "erase", at: now() });
    unlive ??= core.live({
      erase,
      refresh: again,
      stop() {
        isStopped = true;
        erase();
        letGo();
      },
    });
  }

  function watch(): void {
    if (isStopped) return;
    hold();
    if (open || state.hidden === "ended") return;
    let isOpen = true;
    const { ask, stop } = feed(jobId, (input) => isOpen && give(input));
    open = {
      ask,
      stop() {
        isOpen = false;
        stop();
      },
    };
    wonder();
    // It may have said at once that there is nothing to watch.
    if (isStopped || (state as State).hidden === "ended") unfeed();
    fill();
  }

  function wonder(): void {
    wondering(LOOK_MS * (0.5 + random() / 2), wonder);
    const at = now();
    // What is not answered yet the feed asks for by itself.
    if (asked > state.toldAt || at < Math.max(state.toldAt + ASK_MS, shared.asked + ASKS_APART_MS) || !core.visible.get()) return;
    if (!["stale", "silent"].includes(show(state, at).status)) return;
    asked = shared.asked = at;
    open?.ask();
  }

  function unfeed(): void {
    open?.stop();
    open = undefined;
    wondering();
    asked = -Infinity;
    again();
  }

  /**
   * Nothing that is old is shown when it is watched again: neither what was known, nor, where the viewer was refused, what a server had
   * rendered before.
   */
  function letGo(): void {
    linger();
    unfeed();
    unlive?.();
    unlive = undefined;
    if (state.hidden !== "ended") set(begin(jobId, state.time, state.hidden === "not_yours" || isStopped ? now() : -Infinity));
    if (state.hidden === "ended" || state.since > -Infinity || seeded > -Infinity) shared.left.set(jobId, { state, seeded });
    core.forget(`job:${jobId}`);
  }

  // What is missing.
  const wait = timer(clock);
  /** 1: it waits to ask; 2: it asks. */
  let filling = 0;
  let tries = 0;
  /** The service has asked to wait for so many milliseconds. */
  let pause = 0;

  function again(): void {
    tries = pause = 0;
    if (filling === 2) return;
    filling = 0;
    wait();
    fill();
  }

  function fill(): void {
    if (filling > 0 || !open || !ask(state)) return;
    filling = 1;
    // The first time a little later: what else is missing is known by then.
    wait(tries > 0 ? Math.max(pause, Math.min(30_000, 500 * 2 ** tries) * (0.5 + random() / 2)) : 250 * random(), async () => {
      filling = 2;
      try {
        await shared.fillings(askPages);
      } finally {
        filling = 0;
        fill();
      }
    });
  }

  async function askPages(): Promise<void> {
    const watched = open;
    for (let after = ask(state); watched && after; ) {
      const { epoch, seq } = after;
      const asked = now();
      const answer = await core.http<TrailPage>({ path: `/api/jobs/${jobId}/locations?after=${epoch}.${seq}&limit=1000` });
      if (open !== watched || answer.is === "stopped") return;
      tries++;
      if (answer.is === "again") pause = answer.afterMs ?? 0;
      // By the first state the feed knows what to do.
      if (answer.is === "refused") watched.ask();
      if (answer.is !== "ok") return;
      set({ is: "trail", after, page: answer.body, asked, at: now() });
      after = ask(state);
      // One that has brought nothing is not asked for again at once.
      if (after?.epoch === epoch && after.seq === seq) return;
      tries = pause = 0;
    }
  }

  // What is shown.
  function view<T>(read: () => T, isSame: (a: T, b: T) => boolean, begins?: () => void, changesAt?: () => number | undefined): Store<T> {
    const listeners = new Set<() => void>();
    const again = timer(clock);
    let value = read();
    const look = (): void => {
      const next = read();
      const ms = listeners.size > 0 ? (changesAt?.() ?? 0) - now() : 0;
      again(Math.ceil(ms), ms > 0 && ms < Infinity ? look : undefined);
      if (isSame(value, next)) return;
      value = next;
      each(listeners, (changed) => changed());
    };
    shows.add(look);
    return {
      get() {
        if (listeners.size === 0) look();
        return value;
      },
      subscribe(changed) {
        const listener = () => changed();
        listeners.add(listener);
        watchers++;
        watch();
        begins?.();
        look();
        return () => {
          if (!listeners.delete(listener)) return;
          look();
          if (--watchers === 0) linger(LINGER_MS, letGo);
        };
      },
    };
  }

  const stores = new Map<number, Store<JobSnapshot>>();
  const stale = (staleAfterMs: number): Store<JobSnapshot> => {
    const store = stores.get(staleAfterMs) ?? view(() => show(state, now(), staleAfterMs), isSame, undefined, () => staleAt(state, staleAfterMs));
    stores.set(staleAfterMs, store);
    return store;
  };

  return {
    jobId,
    store: stale(STALE_AFTER_MS),
    stale,
    trail: view(() => points(state), Object.is, () => give({ is: "want_trail", at: now() })),
    seed(initial) {
      if (initial.now <= seeded) return;
      seeded = initial.now;
      if (isStopped || open) return;
      hold();
      set({ is: "first", state: initial, asked: -Infinity, at: now() });
      linger(SEED_MS, letGo);
    },
    refresh() {
      if (!open) return;
      unfeed();
      watch();
    },
  };
}

/** Whether two snapshots show the same, as time goes by. */
function isSame(a: JobSnapshot, b: JobSnapshot): boolean {
  if (Math.abs((ageMs(a, b.at) ?? 0) - (b.ageMs ?? 0)) > AGE_OFF_MS) return false;
  return (Object.keys(a) as (keyof JobSnapshot)[]).every((key) => key === "at" || key === "ageMs" || a[key] === b[key]);
}
