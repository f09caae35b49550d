// What posts the queue: in order, one request at a time, and nothing leaves the queue before the service has answered for it.

import { timer } from "../client/timer.ts";
import type { Answer, Clock, Http } from "../client/types.ts";
import type { PostAnswer } from "../wire.ts";
import type { Queue } from "./queue.ts";
import type { Entry, Kept } from "./storage.ts";

/** The most fixes of a post, as the service has it. */
const BATCH = 100;
/** Where there is no answer, a smaller post may get through; but not smaller than this. */
const BATCH_OVER_BAD_NETWORK = 10;
const BACKOFF_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
/** How long a job is left alone that the service refuses; a session that is renewed or a job that is looked at ends it at once. */
const HELD_MS = 300_000;
/** How long what the service refuses is kept, in milliseconds: it would be too old for it by then. */
const AGE_MAX_MS = 24 * 3_600_000;
/** The longest that is waited because an answer says so. */
const RETRY_AFTER_MAX_MS = 300_000;
/** How far what two entries say of the device's clock may be apart for one post, in milliseconds. */
const SAME_CLOCK_MS = 1_000;

/** What a sender tells of itself. */
export interface Sending {
  /** A request is under way; it waits for the next try; nothing can leave, as the service refuses it; or nothing of these. */
  state: "idle" | "sending" | "backoff" | "held";
  /** `held` only: the name of the service's problem. */
  by?: string;
}

export interface SenderEvents {
  /** Something has changed: the state, or what is in the queue. */
  changed(): void;
  /** The service has taken what was sent. */
  sent(): void;
  /** This fix is not kept by the service, and has left the queue. */
  rejected(job: string, reason: string): void;
  /** The client belongs to nobody any more. */
  stopped(): void;
}

export interface Sender {
  /** There may be something to send, and this may send it or not. */
  may(send: boolean): void;
  /** There may be something to send. `urgent`: whatever was waited for, try now; but for what the service itself has asked to wait. */
  poke(urgent?: boolean): void;
  /** Job, or session, have changed: what held it may be gone. */
  release(job?: string): void;
  get(): Sending;
  stop(): void;
}

interface Needs {
  http: Http;
  clock: Clock;
  random: () => number;
  queue: Queue;
  /** This life of a page. */
  run: string;
  user: () => string | undefined;
}

/** No job has this name. */
const ALL = "";

interface Pause {
  /** By `clock.now`. */
  until: number;
  /** How often in a row there was no good answer. */
  failures: number;
  /** Held: the name of the problem. */
  by?: string;
  /** The service has asked for it. */
  asked?: boolean;
}

/** The clock's time now as the device would say it, had nobody set its clock since the entry was made. */
function sentAt({ wall, mono, run }: Entry, here: string, clock: Clock): number {
  // A clock that only grows may stand still while the device sleeps. So the larger difference counts: rather shall a fix look old than new.
  return run === here ? Math.max(clock.wall(), wall + Math.round(clock.now() - mono)) : clock.wall();
}

export function createSender({ http, clock, random, queue, run, user }: Needs, events: SenderEvents): Sender {
  /** The lock is ours. */
  let allowed = false;
  let stopped = false;
  let running = false;
  /** Something was asked for while a post was under way. */
  let again = false;
  const waking = timer(clock);
  let sending: Sending = { state: "idle" };
  let lastJob: string | undefined;
  /** Until when a job is left alone; under `ALL`, all of them. What has ended stays, for its count, until the service takes something. */
  const pauses = new Map<string, Pause>();
  /** How many fixes of a job are tried at once, where it is not as many as a post may have. */
  const sizes = new Map<string, number>();

  function become(next: Sending) {
    sending = next;
    events.changed();
  }

  function wake(at: number) {
    waking(Math.max(0, at - clock.now()), () => poke());
  }

  function poke(urgent = false) {
    for (const pause of urgent ? pauses.values() : []) {
      if (pause.by === undefined && !pause.asked) Object.assign(pause, { until: -Infinity, failures: 0 });
    }
    if (!allowed || stopped) return;
    again = true;
    if (!running) {
      running = true;
      void drain().finally(() => {
        running = false;
        if (again) poke();
      });
    }
  }

  /** Sends until nothing is left that may leave now. */
  async function drain(): Promise<void> {
    while (allowed && !stopped) {
      again = false;
      const owner = user();
      if (owner === undefined) return;
      const jobs = await queue.jobs(owner);
      for (const job of pauses.keys()) if (job !== ALL && !jobs.includes(job)) pauses.delete(job);
      const job = next(jobs);
      if (job === undefined) {
        if (again) continue;
        return rest(jobs);
      }
      await post(owner, job);
    }
    become({ state: "idle" });
  }

  const pausing = (job: string) => {
    const pause = pauses.get(job);
    return pause !== undefined && pause.until > clock.now() ? pause : undefined;
  };

  /** The job whose turn it is: each in turn, so that the backlog of one does not keep another waiting. */
  function next(jobs: string[]): string | undefined {
    if (pausing(ALL)) return undefined;
    const free = jobs.filter((job) => !pausing(job)).sort();
    return free.find((job) => lastJob !== undefined && job > lastJob) ?? free[0];
  }

  /** Says why nothing more leaves, and sees to it that it goes on. */
  function rest(jobs: string[]) {
    const all = pausing(ALL);
    const reasons = all ? [all] : jobs.map(pausing).filter((pause) => pause !== undefined);
    const [first] = reasons.sort((a, b) => a.until - b.until);
    if (first === undefined || jobs.length === 0) return become({ state: "idle" });
    wake(first.until);
    const held = reasons.every(({ by }) => by !== undefined) ? first.by : undefined;
    become(held === undefined ? { state: "backoff" } : { state: "held", by: held });
  }

  async function post(owner: string, job: string): Promise<void> {
    lastJob = job;
    const size = sizes.get(job) ?? BATCH;
    const oldest = await queue.oldest(owner, job, size);
    const [head] = oldest;
    if (!allowed || stopped) return;
    // Another tab has sent them, or storage cannot be read.
    if (head === undefined) return wait(job, undefined);
    const at = sentAt(head, run, clock);
    const other = oldest.findIndex((entry) => Math.abs(sentAt(entry, run, clock) - at) > SAME_CLOCK_MS);
    const batch = other === -1 ? oldest : oldest.slice(0, other);
    become({ state: "sending" });
    const answer = await http<PostAnswer>({
      method: "POST",
      path: `/api/jobs/${job}/location`,
      body: { locations: batch.map(({ fix }) => fix), sentAt: at },
      // So that a page that is closed now has not sent in vain. What is not answered stays, and is sent again by the next one.
      keepalive: true,
    });
    await (answer.is === "ok" ? taken(job, batch, answer.body) : refused(job, batch, answer));
  }

  /** A 200: each fix that has a result leaves the queue. */
  async function taken(job: string, batch: Kept[], body: PostAnswer | undefined): Promise<void> {
    const results = Array.isArray(body?.results) ? body.results.slice(0, batch.length) : [];
    // Not from the service, but from what stands between: a page to sign in to a hotel's network, say.
    if (results.length === 0) return wait(ALL, undefined);
    pauses.delete(ALL);
    pauses.delete(job);
    const size = sizes.get(job);
    if (size !== undefined) size * 2 >= BATCH ? sizes.delete(job) : sizes.set(job, size * 2);
    await leave(batch.slice(0, results.length));
    events.sent();
    for (const result of results) if (result.status === "rejected") events.rejected(job, result.reason);
  }

  async function refused(job: string, batch: Kept[], answer: Exclude<Answer<PostAnswer>, { is: "ok" }>): Promise<void> {
    if (answer.is === "stopped") {
      stop();
      return events.stopped();
    }
    if (answer.is === "again") {
      const { status, type } = answer;
      // Too large for somebody on the way, or for this network.
      if (status === 413 || status === undefined) sizes.set(job, Math.max(status === 413 ? 1 : BATCH_OVER_BAD_NETWORK, batch.length >> 1));
      // What the service says is about this job. The network, what stands between, the session: no other job fares better.
      return wait(type === undefined || status === 401 ? ALL : job, answer.afterMs);
    }
    const { status, type, reason } = answer;
    // The post as a whole, and maybe for one of its fixes: it is halved until that one is alone.
    if (status === 413 || (status === 400 && (type === "invalid_post" || type === "invalid_fix"))) {
      if (batch.length > 1) return void sizes.set(job, batch.length >> 1);
      await leave(batch);
      return events.rejected(job, reason ?? type);
    }
    // A job that the service has forgotten, say, is refused for ever.
    const old = batch.filter((entry) => sentAt(entry, run, clock) - entry.wall > AGE_MAX_MS);
    await leave(old);
    for (const _ of old) events.rejected(job, "too_old");
    pauses.set(job, { by: type, until: clock.now() + HELD_MS, failures: 0 });
  }

  const leave = (batch: Kept[]) => queue.remove(batch.map(({ key }) => key));

  function wait(which: string, afterMs: number | undefined) {
    const failures = (pauses.get(which)?.failures ?? 0) + 1;
    const backoff = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** (failures - 1)) * (0.5 + random() / 2);
    const asked = afterMs === undefined ? 0 : Math.min(afterMs, RETRY_AFTER_MAX_MS);
    pauses.set(which, { until: clock.now() + Math.max(backoff, asked), failures, asked: asked > 0 });
  }

  function stop() {
    stopped = true;
    waking();
  }

  return {
    may(send) {
      allowed = send;
      if (send) return poke();
      waking();
      if (!running) become({ state: "idle" });
    },
    poke,
    release(job) {
      for (const [name, { by }] of pauses) if (by !== undefined && (job ?? name) === name) pauses.delete(name);
      poke();
    },
    get: () => sending,
    stop,
  };
}
