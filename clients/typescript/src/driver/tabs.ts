// The tabs of one user in one browser: one of them sends.

/** The part of `navigator.locks` that is used. */
export interface LocksLike {
  request(name: string, options: { steal?: boolean; signal?: AbortSignal }, callback: () => Promise<void>): Promise<unknown>;
}

/** The part of a `BroadcastChannel` that is used. */
export interface ChannelLike {
  addEventListener(name: "message", heard: (event: { data: unknown }) => void): void;
  postMessage(message: unknown): void;
  close(): void;
}

export interface Turn {
  /** Takes the turn from whichever tab has it: the user looks at this one. */
  take(): void;
  stop(): void;
}

/**
 * Waits for the turn, and after every loss again. The tab that has it may be frozen, in the background of a phone, and then never gives it
 * back: so the one that is looked at takes it. Two may send for a moment then, the same entries, which the service recognises.
 * @param mine hears whether it is this tab's turn; always, where there are no locks
 */
export function waitForTurn(locks: LocksLike | null | undefined, name: string, mine: (mine: boolean) => void): Turn {
  let has = false;
  let stopped = false;
  let withdraw = () => {};

  function become(value: boolean) {
    if (has !== value) mine((has = value));
  }

  function ask(steal: boolean) {
    withdraw();
    if (!locks) return become(true);
    const waiting = new AbortController();
    let current = true;
    let release = () => {};
    withdraw = () => {
      current = false;
      waiting.abort();
      release();
    };
    const held = () => {
      if (!current) return Promise.resolve();
      become(true);
      return new Promise<void>((resolve) => (release = resolve));
    };
    locks.request(name, steal ? { steal } : { signal: waiting.signal }, held).catch(() => {
      // Where it was withdrawn, whoever did that has seen to the rest.
      if (!current || stopped) return;
      // Only what is held can be taken. So the browser refuses locks.
      if (!has) return become(true);
      become(false);
      ask(false);
    });
  }

  ask(false);
  return {
    take() {
      if (!has && !stopped) ask(true);
    },
    stop() {
      stopped = true;
      withdraw();
      become(false);
    },
  };
}
