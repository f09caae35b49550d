// A side while it runs: loads it, tells what a load has cost, and keeps account of what it was given to do.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../scripts/setup/steps.mjs";
import { perform } from "./load/paced.mjs";
import { gets, posts, states } from "./load/shape.mjs";
import { drive } from "./load/wrk.mjs";
import { cpuSeconds, startProcess } from "./processes.mjs";
import { CLIENTS, CONNECTIONS, STORM, STORMS } from "./scenarios.mjs";

/** @import { Server } from "./processes.mjs" */
/** @import { Scenario } from "./scenarios.mjs" */
/** @import { Shape } from "./load/shape.mjs" */
/** @import { Side } from "./sides/sides.mjs" */
/** @import { StubProcess } from "./stub/start.mjs" */

/**
 * @typedef {object} Account how many fixes some jobs must have: a load that ends leaves some requests of which nobody hears any more
 * @property {string[]} jobs
 * @property {number} least
 * @property {number} most
 *
 * @typedef {Record<string, number>} Sample figures of one measurement, by name
 */

const WARM_UP_S = 1;
/** So much earlier than those that are measured were the fixes measured by which a job is warmed up: a job's times never go back. */
const WARM_UP_LAG_MS = 10_000;
/** How long an outbox may take to drain. */
const DRAIN_MS = 60_000;
const POLL_MS = 60;
/** As many looks in a row at the stub must find nothing new. */
const QUIET_POLLS = 4;
const PACED_CONNECTIONS = 128;
const FILLING_CONNECTIONS = 32;

export class Running {
  /** @type {Map<string, Account>} */
  accounts = new Map();
  #stub;
  #server;
  #temporary;

  /**
   * @param {Side} side
   * @param {string} dir where its storage is
   * @param {Server} server
   * @param {StubProcess} stub
   */
  constructor(side, dir, server, stub) {
    this.side = side;
    this.dir = dir;
    this.#server = server;
    this.#stub = stub;
    this.#temporary = join(dir, "..");
  }

  /**
   * @param {Side} side
   * @param {string} folder what it was built into
   * @param {string} dir for its storage; a new one
   * @param {number} port
   * @param {StubProcess} stub
   */
  static async start(side, folder, dir, port, stub) {
    mkdirSync(dir, { recursive: true });
    const server = await startProcess(side.start(folder, dir, { own: port, ably: await stub.port(side.name) }));
    return new Running(side, dir, server, stub);
  }

  get url() {
    return this.#server.url;
  }

  kill() {
    return this.#server.kill();
  }

  /**
   * Loads it as fast as it answers.
   * @param {Scenario} scenario
   * @param {string} round
   * @param {number} seconds
   * @returns {Promise<Sample>}
   */
  async closed(scenario, round, seconds) {
    const jobs = await this.#jobs(scenario, round);
    const options = { url: this.url, connections: scenario.connections ?? CONNECTIONS, dir: this.#temporary };
    await this.#wrk(scenario, shapeOf(scenario, jobs, `${round}-w`, WARM_UP_LAG_MS), jobs, { ...options, seconds: WARM_UP_S });
    await this.settle();
    const [before, spent] = [await this.#stub.totals(this.side.name), cpuSeconds(this.#server.pid)];
    await this.#stub.failOneIn(this.side.name, scenario.failsOneIn ?? 0);
    const driven = await this.#wrk(scenario, shapeOf(scenario, jobs, round, 0), jobs, { ...options, seconds });
    await this.#stub.failOneIn(this.side.name, 0);
    // What it owes Ably by now is part of what its requests cost.
    await this.settle();
    const after = await this.#stub.totals(this.side.name);
    const cpu = ((cpuSeconds(this.#server.pid) - spent) / driven.requests) * 1e6;
    /** @type {Sample} */
    const sample = { cpu, perSecond: driven.requests / driven.seconds };
    if (after.fixes > before.fixes) sample.publishes = (after.requests - before.requests) / (after.fixes - before.fixes);
    return sample;
  }

  /**
   * Loads it at a rate.
   * @param {Scenario} scenario
   * @param {string} round
   * @param {number} seconds
   * @param {number} perSecond
   * @returns {Promise<Sample>}
   */
  async paced(scenario, round, seconds, perSecond) {
    const jobs = await this.#jobs(scenario, round);
    const load = async (/** @type {string} */ tag, /** @type {number} */ time, /** @type {number} */ lag) => {
      const total = Math.max(1, Math.round(perSecond * time));
      this.#account(scenario, jobs, total, 0);
      return this.#perform({
        shape: shapeOf(scenario, jobs, tag, lag),
        port: this.#server.port,
        connections: PACED_CONNECTIONS,
        perSecond,
        total,
      });
    };
    await load(`${round}-w`, WARM_UP_S, WARM_UP_LAG_MS);
    await this.#stub.failOneIn(this.side.name, scenario.failsOneIn ?? 0);
    const { p50, p99, behindMs } = await load(round, seconds, 0);
    await this.#stub.failOneIn(this.side.name, 0);
    await this.settle();
    return { p50, p99, behindMs };
  }

  /**
   * Lets many clients ask for a token at once, whom it has not seen before.
   * @param {Scenario} scenario
   * @param {string} round
   * @returns {Promise<Sample>}
   */
  async storm(scenario, round) {
    let [ms, cpu] = [0, 0];
    for (let storm = 0; storm < STORMS; storm += 1) {
      const shape = gets("token", STORM, scenario.jobs ?? 1, `${round}-${storm}`);
      const spent = cpuSeconds(this.#server.pid);
      ms += (await this.#perform({ shape, port: this.#server.port, connections: STORM, total: STORM })).ms;
      await delay(POLL_MS);
      cpu += cpuSeconds(this.#server.pid) - spent;
    }
    return { cpu: (cpu / STORMS / STORM) * 1e6, ms: ms / STORMS };
  }

  /** Waits until all that it has accepted is at Ably, and nothing more comes. */
  async settle() {
    const owed = [...this.accounts.values()].reduce((sum, { least }) => sum + least, 0);
    const started = Date.now();
    for (let [quiet, seen] = [0, -1]; quiet < QUIET_POLLS;) {
      const requests = await this.#stub.requests(this.side.name);
      quiet = requests === seen ? quiet + 1 : 0;
      seen = requests;
      if (quiet === QUIET_POLLS && (await this.#stub.totals(this.side.name)).fixes < owed) quiet = 0;
      if (Date.now() - started > DRAIN_MS)
        throw new Failure(`${this.side.name}: after a minute something is still not at Ably.${await this.#whatIsWrong()}`);
      if (quiet < QUIET_POLLS) await delay(POLL_MS);
    }
  }

  async #whatIsWrong() {
    const wrong = Object.values(await this.#stub.channels(this.side.name)).find(({ wrong }) => wrong !== undefined)?.wrong;
    return `${wrong === undefined ? "" : ` It was sent something wrong: ${wrong}`} ${this.#server.complaints()}`;
  }

  /**
   * The jobs of a round, with what they need to have before it.
   * @param {Scenario} scenario
   * @param {string} round
   */
  async #jobs(scenario, round) {
    const { kind, name, rows, begun = false, jobs: amount = 0 } = scenario;
    if (kind !== "post" && kind !== "state") return [];
    // Logs that were filled once grow on.
    const prefix = rows === undefined ? `${name}-${round}` : name;
    const jobs = Array.from({ length: amount }, (_, index) => `${prefix}-${index}`);
    if (!this.accounts.has(jobs.join()) && (rows !== undefined || begun || kind === "state")) {
      const total = amount * (rows ?? 1);
      const shape = posts(jobs, {
        fixes: 1,
        ids: scenario.ids ?? false,
        lagMs: (scenario.lagMs ?? 0) + 2 * WARM_UP_LAG_MS,
        tag: `${prefix}-f`,
      });
      this.#account({ ...scenario, kind: "post" }, jobs, total, 0);
      await this.#perform({ shape, port: this.#server.port, connections: FILLING_CONNECTIONS, total });
      await this.settle();
    }
    return jobs;
  }

  /**
   * @param {Scenario} scenario
   * @param {Shape} shape
   * @param {string[]} jobs
   * @param {Parameters<typeof drive>[1]} options
   */
  async #wrk(scenario, shape, jobs, options) {
    try {
      const driven = await drive(shape, options);
      this.#account(scenario, jobs, driven.requests, driven.open);
      return driven;
    } catch (error) {
      throw new Failure(
        `${this.side.name}, ${scenario.what}: ${error instanceof Error ? error.message : error}. ${this.#server.complaints()}`,
      );
    }
  }

  /** @param {Parameters<typeof perform>[0]} task */
  async #perform(task) {
    try {
      return await perform(task);
    } catch (error) {
      throw new Failure(
        `${this.side.name}, ${task.shape.tag}: ${error instanceof Error ? error.message : error}. ${this.#server.complaints()}`,
      );
    }
  }

  /**
   * @param {Scenario} scenario
   * @param {string[]} jobs
   * @param {number} requests that were answered
   * @param {number} open that may have been taken, too
   */
  #account({ kind, fixes = 1 }, jobs, requests, open) {
    if (kind !== "post") return;
    const key = jobs.join();
    const { least, most } = this.accounts.get(key) ?? { least: 0, most: 0 };
    this.accounts.set(key, { jobs, least: least + requests * fixes, most: most + (requests + open) * fixes });
  }
}

/**
 * @param {Scenario} scenario
 * @param {string[]} jobs
 * @param {string} tag
 * @param {number} earlierMs
 * @returns {Shape}
 */
function shapeOf({ kind, jobs: amount = 1, fixes = 1, ids = false, lagMs = 0, name }, jobs, tag, earlierMs) {
  const own = `${name}-${tag}`;
  if (kind === "hello") return gets("hello", 1, 1, own);
  if (kind === "token") return gets("token", CLIENTS, amount, own);
  if (kind === "state") return states(jobs, own);
  return posts(jobs, { fixes, ids, lagMs: lagMs === 0 ? 0 : lagMs + earlierMs, tag: own });
}
