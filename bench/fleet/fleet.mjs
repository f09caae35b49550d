// A fleet at work: sets the stage, lets drivers and subscribers in, measures, and waits until all has come.

import { setTimeout as delay } from "node:timers/promises";
import { Failure, log } from "../../scripts/setup/steps.mjs";
import { driverSession } from "../workerd.mjs";
import { startCrew } from "./crew.mjs";
import { faultsOf } from "./judge.mjs";
import { counted, growth, Meter, perSecond } from "./meter.mjs";
import { reportOf } from "./report.mjs";
import { setStage } from "./stage.mjs";

/** @import { Posted } from "./drivers.mjs" */
/** @import { Outbox } from "./judge.mjs" */
/** @import { Options } from "./options.mjs" */
/** @import { Received } from "./subscribers.mjs" */

const RAMP_MS = 20_000;
/** How long the subscribers may take to get what was accepted, once nothing more is. */
const DRAIN_MS = 60_000;
const POLL_MS = 500;
/** How many outboxes are asked for at a time. */
const AT_A_TIME = 20;

/** @param {Options} options */
export async function drive(options) {
  return new Fleet(options, await setStage(options)).perform();
}

class Fleet {
  #options;
  #stage;
  #jobs;
  #ready = new Set();
  /** @type {(posted: Posted) => void} */
  #hearPosted = () => {};
  /** @type {(received: Received) => void} */
  #hearReceived = () => {};
  #drivers;
  #subscribers;
  /** Rejects when a process of the fleet has failed. @type {Promise<never>} */
  #failed;

  /**
   * @param {Options} options
   * @param {Awaited<ReturnType<typeof setStage>>} stage
   */
  constructor(options, stage) {
    this.#options = options;
    this.#stage = stage;
    this.#jobs = Array.from({ length: options.drivers }, (_, job) => `fleet-${job}`);
    const { promise, reject } = Promise.withResolvers();
    this.#failed = /** @type {Promise<never>} */ (promise);
    // Who waits hears of it; before that it is no unhandled rejection.
    promise.catch(() => {});
    this.#drivers = startCrew("drivers", ({ posted }) => posted && this.#hearPosted(posted), reject);
    this.#subscribers = startCrew(
      "subscribers",
      ({ ready, received }) => {
        if (received !== undefined) return this.#hearReceived(received);
        // Who drives before all are there would be missed by some.
        this.#ready.add(ready);
        this.#drivers.tell("start", ready);
      },
      reject,
    );
  }

  perform() {
    return Promise.race([this.#perform(), this.#failed]).finally(() => {
      this.#drivers.dismiss();
      this.#subscribers.dismiss();
    });
  }

  async #perform() {
    const { drivers, subscribers, minutes, mode, limits } = this.#options;
    const { ably, workerd, controlSecret } = this.#stage;
    const meter = new Meter(
      { workerd: workerd.pid, ably: ably.pid, drivers: this.#drivers.pid, subscribers: this.#subscribers.pid },
      ably.port,
      controlSecret,
    );
    const empty = meter.memory();
    log(`${drivers} drivers and ${subscribers} subscribers, ${mode}, Ably's package ${limits}: a ramp of ${RAMP_MS / 1_000} s …`);
    this.#drivers.tell("prepare", { port: workerd.port, jobs: this.#jobs });
    const address = { endpoint: new URL(ably.url).hostname, port: ably.port, tls: false };
    this.#subscribers.tell("connect", { url: workerd.url, ably: address, jobs: this.#jobs, subscribers, rampMs: RAMP_MS });
    await delay(RAMP_MS);
    while (this.#ready.size < drivers) await delay(POLL_MS);
    log(`… and ${minutes} minutes …`);
    const from = Date.now();
    for (const crew of [this.#drivers, this.#subscribers]) crew.tell("measure", from);
    await meter.start();
    await delay(minutes * 60_000);
    const cpu = await meter.stop();
    const seconds = (Date.now() - from) / 1_000;
    const posted = await this.#stop();
    const received = await this.#drained(posted);
    const outboxes = await this.#outboxes();
    const limitsSeen = await meter.limits();
    return reportOf(this.#options, {
      seconds,
      posted,
      received,
      cpu,
      memory: { empty, afterRamp: meter.samples[0]?.mib ?? NaN, atEnd: meter.samples.at(-1)?.mib ?? NaN, growth: growth(meter.samples) },
      requests: perSecond(meter.samples, "requests"),
      messages: perSecond(meter.samples, "messages"),
      counted: counted(limitsSeen),
      faults: faultsOf(this.#jobs, { posted, received, outboxes, limits: limitsSeen }),
    });
  }

  /** @returns {Promise<Posted>} */
  #stop() {
    return new Promise((resolve) => {
      this.#hearPosted = resolve;
      this.#drivers.tell("stop");
    });
  }

  /**
   * Waits until the subscribers have got all, or nothing comes any more.
   * @param {Posted} posted
   */
  async #drained(posted) {
    const until = Date.now() + DRAIN_MS;
    for (;;) {
      const received = await new Promise((/** @type {(received: Received) => void} */ resolve) => {
        this.#hearReceived = resolve;
        this.#subscribers.tell("report");
      });
      const isComplete = received.all.every(({ job, fixes }) => fixes >= (posted.jobs[job]?.fixes ?? 0));
      if (isComplete || Date.now() > until) return received;
      await delay(POLL_MS);
    }
  }

  /** What every job still has to send. */
  async #outboxes() {
    const headers = { authorization: driverSession([], "admin-1", "admin") };
    /** @type {Outbox[]} */
    const all = [];
    for (let first = 0; first < this.#jobs.length; first += AT_A_TIME) {
      const some = this.#jobs.slice(first, first + AT_A_TIME).map(async (job) => {
        const response = await fetch(`${this.#stage.workerd.url}/api/jobs/${job}/outbox`, { headers });
        if (!response.ok) throw new Failure(`The outbox of ${job} is not told: ${response.status} ${await response.text()}`);
        return /** @type {Promise<Outbox>} */ (response.json());
      });
      all.push(...(await Promise.all(some)));
    }
    return all;
  }
}
