// A job by server-sent events: all that a channel tells, without Ably.

import { timer } from "../client/timer.ts";
import type { Core, EventSourceLike } from "../client/types.ts";
import type { Feed, Input } from "../view/types.ts";
import { firstState, isOfRegistration, pathOf, pollMs } from "./first.ts";
import { backoff } from "./repeat.ts";

const MESSAGES = [
  "location.updated", "location.backfilled",
  "job.assigned", "job.reassigned", "job.updated", "job.closed",
  "driver.silent", "driver.heard", "driver.arrived",
];

/** How long a hidden tab keeps its streams. */
const HIDDEN_MS = 60_000;

/** How many streams a tab has at once. By HTTP/1.1 a browser has six connections to a server, and a stream keeps one for itself. */
const STREAMS = 4;

/**
 * After how long without an event it is asked whether the service is reached, and the stream is opened anew. The service says something every 10 s, but an `EventSource` does not tell of it: one
 * whose network has gone without a word looks like one of a job in which nothing happens.
 */
const QUIET_MS = 90_000;
/** The same, before the first event. */
const SILENT_MS = 15_000;

/** `EventSource.CLOSED`: it does not come again by itself. */
const CLOSED = 2;

/** As a stream names its reader. Undefined where the page may not hash: only those by https and of this machine may. */
async function hashOf(user: string): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(user));
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The stream of a job, and the first state where a stream is refused. Jobs for which there is no stream left, in this tab or of this user's,
 * are asked about every 5 s: a board wants Ably.
 */
export function streamFeed(core: Core): Feed {
  const { clock, visible } = core;
  let streams = 0;
  let hash: Promise<string | undefined> | undefined;
  return (jobId, give) => {
    let source: EventSourceLike | undefined;
    // Grows with each opening and closing: what comes of an earlier one is not heard.
    let turn = 0;
    let last = "";
    let tries = 0;
    let asleep = false;
    // The same user watches the job in five other places, each of which another stream would end.
    let replaced = false;
    const [opening, asleepSoon, quiet] = [timer(clock), timer(clock), timer(clock)];
    // What a stream has told since a `state` of which the page cannot see whose it is, until an answer to this client's own user, asked for then.
    let held: { since: number; inputs: Input[] } | undefined;

    const tell = (input: Input) => void (held ? held.inputs.push(input) : give(input));
    const link = (up: boolean) => {
      core.heard?.(up);
      give({ is: "link", up, at: clock.now() });
    };
    const close = () => {
      turn++;
      opening();
      quiet();
      held = undefined;
      if (source === undefined) return;
      streams--;
      source.close();
      source = undefined;
    };
    const open = async () => {
      close();
      const mine = turn;
      const user = core.user();
      if (user !== undefined) hash ??= hashOf(user);
      const own = await hash;
      if (mine !== turn || asleep) return;
      if (replaced || streams >= STREAMS) return first.now();
      const opened = core.stream?.(pathOf(jobId, `stream${last && `?after=${last}`}`));
      if (opened === undefined) return;
      source = opened;
      streams++;
      // Each `state` was said at this moment or later. Nothing that comes before it says more: both may have waited together to be read.
      let asked = clock.now();
      let comesAgain = false;
      quiet(SILENT_MS, why);
      const on = <T>(name: string, hear: (data: T, at: number) => void) =>
        opened.addEventListener(name, ({ data, lastEventId }) => {
          if (mine !== turn) return;
          last = lastEventId || last;
          quiet(QUIET_MS, why);
          hear(JSON.parse(String(data)), clock.now());
        });
      on<(Input & { is: "first" })["state"] & { subHash: string }>("state", ({ subHash, ...state }, at) => {
        // Somebody else has signed in. That request says whose client this is, so its answer stops it.
        if (own !== undefined && subHash !== own) return why();
        tries = 0;
        comesAgain = false;
        link(true);
        if (user !== undefined && own === undefined) {
          held = { since: at, inputs: held?.inputs ?? [] };
          first.now();
        }
        tell({ is: "first", state, asked, at });
      });
      for (const name of MESSAGES) {
        on(name, (data, at) => {
          tell({ is: "message", name, data, at });
          // The place may be another, at which the vehicle has not arrived: of that the stream says no more.
          if (isOfRegistration(name, data)) first.now();
        });
      }
      on("gate.opened", (_, at) => tell({ is: "opened", at }));
      on<{ reason: string }>("end", ({ reason }, at) => {
        comesAgain = reason === "expired" || reason === "slow";
        if (comesAgain) return;
        close();
        if (reason === "closed") return ended(at);
        replaced = reason !== "removed" && reason !== "reassigned";
        if (!replaced) give({ is: "refused", why: "not_yours", asked: at, at });
        first.now();
      });
      opened.addEventListener("error", () => {
        if (mine !== turn) return;
        asked = clock.now();
        if (opened.readyState === CLOSED) why();
        else if (!comesAgain) link(false);
      });
    };
    /** To whom a gate was closed, a stream does not say why the job has ended: an answer does. Without one it has ended all the same. */
    const ended = async (asked: number) => {
      const mine = turn;
      give({ is: "erase", at: asked });
      const answer = await core.http({ path: pathOf(jobId, "location") });
      if (mine === turn) give({ is: "refused", why: "ended", reason: answer.is === "refused" ? answer.reason : undefined, asked, at: clock.now() });
    };
    /** An `EventSource` does not say why it was refused. */
    const why = () => {
      close();
      first.now();
    };
    const first = firstState(
      core,
      jobId,
      (input) => {
        give(input);
        if (!held || input.is !== "first" || input.asked < held.since) return;
        const { inputs } = held;
        held = undefined;
        link(true);
        for (const one of inputs) give(one);
      },
      () => {
        if (source !== undefined) return undefined;
        const isFull = replaced || streams >= STREAMS;
        if (isFull) link(true);
        opening(isFull ? pollMs(core) : backoff(tries++), open);
        return undefined;
      },
      () => source || link(false),
    );
    const anew = () => {
      replaced = false;
      open();
    };
    const seen = () => {
      asleepSoon();
      if (!visible.get()) {
        asleepSoon(HIDDEN_MS, () => {
          asleep = true;
          close();
          link(false);
        });
      } else if (asleep) {
        asleep = false;
        anew();
      }
    };
    const leave = [visible.subscribe(seen), core.live({ refresh: anew })];
    seen();
    open();
    return {
      ask: first.now,
      stop() {
        close();
        asleepSoon();
        first.stop();
        for (const call of leave) call();
      },
    };
  };
}
