// A run: rounds of posts, faults and kills, then peace, and the judgement.

import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../../scripts/setup/steps.mjs";
import { Dispatch, type Dispatched } from "./dispatch.ts";
import { Faults } from "./faults.ts";
import { type Evidence, isClean, judge, type Trail, type Verdict } from "./judge.ts";
import { Ledger } from "./ledger.ts";
import { judgeOperators, type Told } from "./operators.ts";
import { Phone } from "./phone.ts";
import { Random } from "./random.ts";
import { type Options, phonesOf, type Round, rounds } from "./schedule.ts";
import { takenTogether } from "./together.ts";
import { readTrail } from "./trail.ts";
import { Witness } from "./witness.ts";
import { due, World } from "./world.ts";

/** How long what waits may take to leave after a kill, when nobody asks for the job: the alarm is due within 8 s. */
const ALARM = { still: 20_000, bound: 60_000 };
/** How long it may take at the end. Whoever was refused for a while tries again within a minute. */
const PEACE = { still: 75_000, bound: 240_000 };
/** How long a trail may take to say that all is published, once all was heard. */
const CONFIRMED_MS = 60_000;
/** More rounds than kills are asked for are run until there were faults enough, but not for ever. */
const ROUNDS_MAX = 3;

/** Where what is run comes from. */
export interface Builds {
  /** The folder with the Worker, as Wrangler bundles it. */
  bundle: string;
  /** The local Ably's binary. */
  localAbly: string;
}

export interface Report {
  options: Options;
  seconds: number;
  kills: number;
  faults: Record<string, number>;
  /** Of those that count. */
  faultsMet: number;
  posts: { made: number; requests: number; answered: number };
  statuses: Record<string, number>;
  messages: number;
  /** Those that Ably took together with another job's. */
  together: number;
  /** Silent rounds, and those of them that were finished by the alarm alone. */
  silent: { rounds: number; finished: number };
  /** What drivers should not be answered. */
  oddities: string[];
  /** What makes the run itself worthless. */
  lapses: string[];
  verdict: Verdict;
  operators: Told;
  /** What became of the jobs that are registered. */
  dispatched: Dispatched;
  /** What the runtime said last. */
  log: string[];
}

/** Whether nothing is wrong with a run. */
export function passes({ silent, oddities, lapses, verdict, operators, dispatched, kills, faultsMet, options }: Report): boolean {
  const isWhole = kills >= options.kills && faultsMet >= options.faults && lapses.length === 0;
  const isRight = oddities.length === 0 && operators.findings.length === 0 && dispatched.findings.length === 0 && isClean(verdict);
  return isWhole && silent.finished === silent.rounds && isRight;
}

/**
 * Runs. However it ends, no process and no file is left.
 * @param say told how far it is
 * @param stop ends it early, with an error
 */
export async function torture(options: Options, builds: Builds, say: (line: string) => void, stop: AbortSignal): Promise<Report> {
  const world = await World.start(builds.bundle, builds.localAbly, options.publishing);
  const ended = new AbortController();
  let run: Run | undefined;
  try {
    run = new Run(options, world, AbortSignal.any([stop, ended.signal]));
    const stopped = new Promise<never>((_, reject) => stop.addEventListener("abort", () => reject(new Failure("Stopped.")), { once: true }));
    return await Promise.race([run.report(say), world.broken, stopped]);
  } finally {
    ended.abort();
    run?.close();
    await world.stop();
  }
}

class Run {
  readonly #options: Options;
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly #jobs: string[];
  readonly #ledger = new Ledger();
  readonly #faults: Faults;
  readonly #phones: Phone[];
  #witness: Witness | undefined;
  #silent = { rounds: 0, finished: 0 };
  /** Posts that are not answered yet. */
  #open = new Set<Promise<void>>();
  /** Why a driver gave up, which none does. */
  #gaveUp: unknown;

  constructor(options: Options, world: World, signal: AbortSignal) {
    this.#options = options;
    this.#world = world;
    this.#signal = signal;
    this.#jobs = Array.from({ length: options.jobs }, (_, index) => `torture-${index}`);
    this.#faults = new Faults(world.ably);
    this.#phones = phonesOf(options.jobs).map(({ job, name }) => new Phone(world, this.#ledger, this.#jobs[job] ?? "", name));
  }

  close() {
    this.#witness?.close();
  }

  async report(say: (line: string) => void): Promise<Report> {
    const start = performance.now();
    const { kills, faults, seed } = this.#options;
    const witness = (this.#witness = await Witness.start(this.#world.ably, this.#jobs));
    const dispatch = new Dispatch(this.#world, new Random(String(seed)).of("dispatch"), this.#signal);
    let count = 0;
    for (const round of rounds(new Random(String(seed)), this.#options)) {
      const enough = this.#world.kills >= kills && this.#faults.met >= faults;
      if (enough || count >= kills * ROUNDS_MAX) break;
      await this.#round(round, witness);
      count += 1;
      say(`round ${count}: ${this.#world.kills} kills, ${this.#faults.met} faults, ${this.#ledger.fixes.length} fixes`);
    }
    await this.#faults.lift();
    await this.#allAnswered();
    const dispatched = await dispatch.end();
    await witness.until(() => this.#jobs.every((job) => witness.hasHeard(job, this.#ledger.placesOf(job))), PEACE);
    const evidence: Evidence[] = [];
    for (const job of this.#jobs) {
      const trail = await this.#trail(job);
      const posted = this.#ledger.fixes.filter((fix) => fix.job === job);
      evidence.push({ job, posted, heard: witness.heard.get(job) ?? [], history: await witness.history(job), trail });
    }
    return {
      options: this.#options,
      seconds: Math.round((performance.now() - start) / 1000),
      kills: this.#world.kills,
      faults: this.#faults.byKind,
      faultsMet: this.#faults.met,
      posts: { made: this.#ledger.posts, requests: this.#ledger.requests, answered: this.#ledger.answered },
      statuses: this.#ledger.statuses,
      messages: evidence.reduce((sum, { heard }) => sum + heard.length, 0),
      together: takenTogether(evidence),
      silent: this.#silent,
      oddities: this.#ledger.oddities,
      lapses: [...witness.lapses],
      verdict: judge(evidence),
      operators: judgeOperators(witness.operators, this.#faults.byKind),
      dispatched,
      log: this.#world.log,
    };
  }

  /** The trail, once it says that all of it is published, or has said otherwise for long enough. */
  async #trail(job: string): Promise<Trail> {
    for (const end = performance.now() + CONFIRMED_MS; ; await delay(500, undefined, { signal: this.#signal })) {
      const trail = await readTrail(this.#world, job);
      const [last, { published }] = [trail.locations.at(-1), trail];
      const isAll = last === undefined || (published?.epoch === last.epoch && published.seq === last.seq);
      if (isAll || performance.now() > end) return trail;
    }
  }

  async #round(round: Round, witness: Witness): Promise<void> {
    if (round.silent) await this.#silence(round, witness);
    else await this.#noise(round);
    await this.#faults.count();
  }

  /** Posts go on while the runtime is killed and comes back. */
  async #noise(round: Round): Promise<void> {
    const since = performance.now();
    const [signal, world] = [this.#signal, this.#world];
    const faults = async () => {
      for (const fault of round.faults) {
        await due(since, fault.at, signal);
        await this.#faults.make(fault);
      }
    };
    const death = async () => {
      await due(since, round.kill, signal);
      await world.kill();
      await delay(round.down, undefined, { signal });
      const up = world.revive();
      if (round.killAgain !== undefined) {
        await delay(round.killAgain, undefined, { signal });
        await world.kill();
        await up;
        await world.revive();
      } else await up;
    };
    await Promise.all([this.#posts(round, since), faults(), death()]);
  }

  /** Posts that cannot leave are answered, the runtime is killed, and nobody asks for anything until all of them were heard. */
  async #silence(round: Round, witness: Witness): Promise<void> {
    await this.#faults.lift();
    await this.#allAnswered();
    for (const fault of round.faults) await this.#faults.make(fault);
    await this.#posts(round, performance.now());
    await this.#allAnswered();
    await delay(round.kill, undefined, { signal: this.#signal });
    await this.#world.kill();
    await this.#faults.lift();
    await delay(round.down, undefined, { signal: this.#signal });
    await this.#world.revive();
    this.#silent.rounds += 1;
    const allHeard = () => this.#jobs.every((job) => witness.hasHeard(job, this.#ledger.placesOf(job)));
    if (await witness.until(allHeard, ALARM)) this.#silent.finished += 1;
  }

  /** Begins the posts of a round; they may end in a later one. */
  async #posts(round: Round, since: number): Promise<void> {
    for (const post of round.posts) {
      await due(since, post.at, this.#signal);
      const phone = this.#phones[post.phone];
      const sent = phone?.post(post, this.#signal).catch((error) => void (this.#gaveUp ??= error));
      if (sent === undefined) continue;
      this.#open.add(sent);
      void sent.then(() => this.#open.delete(sent));
    }
    if (this.#gaveUp !== undefined) throw this.#gaveUp;
  }

  async #allAnswered(): Promise<void> {
    await Promise.all(this.#open);
    if (this.#gaveUp !== undefined) throw this.#gaveUp;
  }
}
