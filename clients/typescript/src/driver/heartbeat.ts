// What the service hears of a phone that has no position to tell: parked is not lost.

import type { Clock, Http } from "../client/types.ts";
import type { HeartbeatAnswer, PhoneState } from "../wire.ts";

/** How long the service hears nothing before it hears a heartbeat; it is looked after every few seconds, so 30 s at most. */
const EVERY_MS = 25_000;
/** A first fix has a moment before something else is said. */
const FIRST_AFTER_MS = 5_000;

export interface Heartbeat {
  /** The job that is told of, by a driver who is on duty or off; nothing where none is. */
  job(): string | undefined;
  /** The driver is on duty for this job. */
  begin(job: string): void;
  /** The driver is off duty, which is said now, after what is being said, and until it was heard. It resolves once there is an answer, or none comes. */
  off(): Promise<void>;
  /** Nothing more is said. */
  end(): void;
  /** Something that says more is on its way: a fix. */
  said(): void;
  /** To be called now and then: says what is due. */
  check(): void;
}

/**
 * @param phone what is true of the phone of a driver who is on duty
 * @param ended the service has said that the job takes nothing more of this driver
 */
export function createHeartbeat(
  { http, clock }: { http: Http; clock: Clock },
  phone: () => PhoneState,
  ended: (job: string, why: "reassigned" | "job_closed") => void,
): Heartbeat {
  let duty: { job: string; off: boolean; heard?: boolean } | undefined;
  let saidAt = -Infinity;
  /** One at a time: what is said last is heard last. */
  let saying: Promise<void> | undefined;

  /** Where there is no answer, the next one says it again. */
  async function post(said: NonNullable<typeof duty>): Promise<void> {
    const { job, off } = said;
    saidAt = clock.now();
    const state = off ? "off_duty" : phone();
    // Who is off duty may close the page before there is an answer.
    const answer = await http<HeartbeatAnswer>({ method: "POST", path: `/api/jobs/${job}/heartbeat`, body: { state }, keepalive: off });
    // Of who is off duty, this is the last.
    said.heard = off && answer.is !== "again";
    const status = answer.is === "ok" ? answer.body?.status : undefined;
    if (status === "reassigned" || status === "job_closed") ended(job, status);
  }

  async function say(): Promise<void> {
    if (duty !== undefined && !duty.heard) await (saying ??= post(duty).finally(() => (saying = undefined)));
  }

  return {
    job: () => duty?.job,
    begin(job) {
      duty = { job, off: false };
      saidAt = clock.now() - EVERY_MS + FIRST_AFTER_MS;
    },
    async off() {
      if (duty === undefined || duty.off) return;
      const off = (duty = { job: duty.job, off: true });
      await saying;
      if (duty === off) await say();
    },
    end: () => void (duty = undefined),
    said: () => void (saidAt = clock.now()),
    check() {
      if (clock.now() - saidAt >= EVERY_MS) void say();
    },
  };
}
