// All sides against each other: they start together, each in a process of its own and on fresh storage, and are loaded in turns, so that
// whatever else the machine does meets them all. Then all of it again, in another order: which one starts first was seen to matter.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freePort, LOOPBACK } from "../scripts/dev/ports.mjs";
import { Failure, log } from "../scripts/setup/steps.mjs";
import { coldStart } from "./cold.mjs";
import { faultsOf, readLogs } from "./judge.mjs";
import { STORAGE } from "./processes.mjs";
import { ASKED, brokenPromises } from "./promises.mjs";
import { Running } from "./running.mjs";
import { SCENARIOS } from "./scenarios.mjs";
import { median } from "./statistics.mjs";
import { startStub } from "./stub/start.mjs";

/** @import { Options } from "./options.mjs" */
/** @import { Sample } from "./running.mjs" */
/** @import { Scenario } from "./scenarios.mjs" */
/** @import { Side } from "./sides/sides.mjs" */
/** @import { StubProcess } from "./stub/start.mjs" */

/** Samples by scenario and side; those of one round have the same place. @typedef {Record<string, Record<string, Sample[]>>} Samples */
/** @typedef {{ figures: Samples, latencies: Samples }} Measured */

const FIRST_PORT = 18_800;

/** What is done before the first round: code is compiled by how often it runs, JavaScript and wasm alike. */
const WARM_UPS = SCENARIOS.filter(({ name }) => ["hello", "token", "fix", "state"].includes(name));
const WARM_UP_S = 2;

/**
 * @param {Options} options
 * @returns {Promise<Measured>}
 */
export async function tournament(options) {
  /** @type {Map<Side, string>} */
  const folders = new Map();
  for (const side of options.sides) folders.set(side, await side.prepare());
  const dir = mkdtempSync(join(STORAGE, "towline-bench-"));
  const remove = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  process.once("exit", remove);
  const stub = startStub();
  /** @type {Measured} */
  const measured = { figures: {}, latencies: {} };
  try {
    for (let restart = 0; restart < options.restarts; restart += 1) {
      const order = orderOf(options.sides, restart);
      log(`\nrestart ${restart + 1} of ${options.restarts}: ${order.map(({ name }) => name).join(", ")}`);
      const runs = new Restart(options, order, folders, dir, stub, measured, restart);
      await runs.perform();
    }
    return measured;
  } finally {
    stub.stop();
    process.off("exit", remove);
    remove();
  }
}

/**
 * Another order for each restart: of two restarts in a row the second has the first one's backwards, so that each side comes before each other
 * as often as after it.
 * @template T
 * @param {T[]} all
 * @param {number} turn
 */
export function orderOf(all, turn) {
  const start = Math.floor(turn / 2) % Math.max(1, all.length);
  const rotated = [...all.slice(start), ...all.slice(0, start)];
  return turn % 2 === 0 ? rotated : rotated.reverse();
}

class Restart {
  #options;
  #order;
  #folders;
  #dir;
  #stub;
  #measured;
  #restart;
  /** @type {Running[]} */
  #running = [];

  /**
   * @param {Options} options
   * @param {Side[]} order
   * @param {Map<Side, string>} folders
   * @param {string} dir
   * @param {StubProcess} stub
   * @param {Measured} measured
   * @param {number} restart
   */
  constructor(options, order, folders, dir, stub, measured, restart) {
    this.#options = options;
    this.#order = order;
    this.#folders = folders;
    this.#dir = dir;
    this.#stub = stub;
    this.#measured = measured;
    this.#restart = restart;
  }

  async perform() {
    const { scenarios, rounds } = this.#options;
    try {
      await this.#start();
      for (const running of this.#running) {
        for (const scenario of WARM_UPS)
          if (running.side.takesPart(scenario.name)) await running.closed({ ...scenario, name: `warm-${scenario.name}` }, "0", WARM_UP_S);
      }
      for (let round = 0; round < rounds; round += 1) {
        log(`  round ${round + 1} of ${rounds}`);
        for (const scenario of scenarios) await this.#round(scenario, round);
      }
      if (this.#options.latency) for (const scenario of scenarios) await this.#latency(scenario);
      await this.#judge();
    } finally {
      for (const running of this.#running) await running.kill();
      for (const { dir } of this.#running) rmSync(dir, { recursive: true, force: true });
    }
  }

  async #start() {
    for (const side of this.#order) {
      const running = await Running.start(
        side,
        this.#folderOf(side),
        join(this.#dir, `${side.name}-${this.#restart}`),
        await port(),
        this.#stub,
      );
      this.#running.push(running);
      if (!side.hasLog) continue;
      const broken = await brokenPromises(running.url);
      const told = `${side.name} does not answer as it promises:\n  ${broken.join("\n  ")}`;
      if (broken.length > 0 && !side.mayDiffer) throw new Failure(told);
      if (broken.length > 0) log(told);
      running.accounts.set("promises", ASKED);
    }
  }

  /**
   * @param {Scenario} scenario
   * @param {number} round
   */
  async #round(scenario, round) {
    const { seconds } = this.#options;
    const name = `${this.#restart}-${round}`;
    /** @type {string[]} */
    const said = [];
    for (const running of this.#turn(scenario, round)) {
      const { side } = running;
      const note = (/** @type {Sample} */ sample) => {
        push(this.#measured.figures, scenario.name, side.name, sample);
        said.push(`${side.name} ${sample.cpu?.toFixed(0)}`);
      };
      if (scenario.kind === "cold") note(await this.#cold(side, name));
      else if (scenario.kind === "storm") note(await running.storm(scenario, name));
      else note(await running.closed(scenario, name, seconds));
    }
    log(`    ${scenario.what}, CPU µs: ${said.join(", ")}`);
  }

  /**
   * All at the same rate: half of what the slowest of them can do. One that is slower by far than all others has a rate of its own, since
   * at its rate they would have nothing to do.
   * @param {Scenario} scenario
   */
  async #latency(scenario) {
    const capacityOf = (/** @type {Side} */ { name }) =>
      median((this.#measured.figures[scenario.name]?.[name] ?? []).map(({ perSecond = NaN }) => perSecond));
    const all = this.#turn(scenario, this.#restart);
    const common = Math.min(...all.filter(({ side }) => !side.isSlow).map(({ side }) => capacityOf(side))) / 2;
    for (const running of all) {
      const offered = running.side.isSlow ? capacityOf(running.side) / 2 : common;
      // A storm and a cold start have no rate.
      if (Number.isNaN(offered)) continue;
      const sample = await running.paced(scenario, `${this.#restart}-p`, this.#options.seconds, offered);
      push(this.#measured.latencies, scenario.name, running.side.name, { ...sample, offered });
    }
  }

  /**
   * @param {Side} side
   * @param {string} round
   */
  async #cold(side, round) {
    // Its outbox sends nothing: the stub knows the side by the ports that it had before.
    return coldStart(side, this.#folderOf(side), join(this.#dir, `${side.name}-cold-${round}`), { own: await port(), ably: 1 });
  }

  async #judge() {
    const faults = [];
    for (const running of this.#running) {
      await running.settle();
      const seen = await this.#stub.channels(running.side.name);
      await running.kill();
      const kept = running.side.hasLog ? readLogs(running.dir) : undefined;
      faults.push(...faultsOf(running.accounts.values(), kept, seen).map((fault) => `${running.side.name}: ${fault}`));
    }
    if (faults.length > 0) throw new Failure(`Not all sides did the work, so the figures mean nothing:\n  ${faults.join("\n  ")}`);
    log("  every side did the work: seqs gapless on disk, every fix once and in order at Ably, nothing left to send");
  }

  /**
   * Who takes part, in the order of this round.
   * @param {Scenario} scenario
   * @param {number} round
   */
  #turn(scenario, round) {
    const all = this.#running.filter(({ side }) => side.takesPart(scenario.name));
    return round % 2 === 0 ? all : all.reverse();
  }

  /** @param {Side} side */
  #folderOf(side) {
    return this.#folders.get(side) ?? "";
  }
}

/**
 * @param {Samples} samples
 * @param {string} scenario
 * @param {string} side
 * @param {Sample} sample
 */
function push(samples, scenario, side, sample) {
  ((samples[scenario] ??= {})[side] ??= []).push(sample);
}

function port() {
  return freePort(FIRST_PORT, LOOPBACK);
}
