// What is done to the service, all of it decided by the seed: who posts what and when, what goes wrong with Ably, when the runtime is
// killed. What the seed does not decide is how long the processes take: at which instruction a kill meets the runtime, and
// which of the publishes a fault, is the machine's affair, so a second run of a seed is alike and not the same.

import type { Random } from "./random.ts";

/** How messages leave: each job sends its own, or publishers send many jobs' by one request. */
export type Publishing = "direct" | "batched";

export interface Options {
  publishing: Publishing;
  seed: number;
  /** At least so many times the runtime is killed. */
  kills: number;
  /** At least so many publishes are met by a fault, those that a wrong key meets not counted. */
  faults: number;
  jobs: number;
  /** For how long Ably refuses the key. */
  wrongKeyMs: number;
}

/** How a post says which fixes it holds. */
export type Naming = "ids" | "times" | "key" | "nothing";

export interface PlannedPost {
  /** When, in ms from the start of the round. */
  at: number;
  phone: number;
  naming: Naming;
  /** How many new fixes. */
  fresh: number;
  /** How many of the last ones go along once more. */
  overlap: number;
  /** An earlier post goes out again, in place of a new one. */
  repeats: boolean;
  /** A fix goes along that nobody can take. */
  impossible: boolean;
  /** Whether it says when it was sent. */
  sentAt: boolean;
  /** So many hours off is the phone's clock from this post on, where it jumps. */
  jump?: number;
  /** The phone gives its first request up after so many ms. */
  patience?: number;
  /** The phone sends it twice at once. */
  twice: boolean;
}

/** A fault as the local Ably takes it, under the name by which it is counted. */
export interface Fault {
  kind: string;
  body: Record<string, unknown>;
}

export interface Round {
  posts: PlannedPost[];
  faults: (Fault & { at: number })[];
  /** When the runtime is killed: in ms from the start of the round, or of a silent one from the last answer. */
  kill: number;
  /** How long it stays away. */
  down: number;
  /** So many ms after it has been started it is killed once more. */
  killAgain?: number;
  /** Nobody posts after the kill, or asks for a job: only an alarm can finish what waits. */
  silent: boolean;
}

/** By this name the firings of the wrong key are counted. */
export const WRONG_KEY = "a wrong key";

interface Kind {
  kind: string;
  weight: number;
  body: (random: Random) => Record<string, unknown>;
}

/** What goes wrong with publishes, and how often beside the others. A client of Ably's REST API gives up after 10 s. */
const FAULTS: Kind[] = [
  { kind: "5xx", weight: 4, body: (random) => ({ kind: "error", status: random.pick([500, 502, 503, 504]) }) },
  { kind: "429", weight: 2, body: () => ({ kind: "error", status: 429, code: 42910 }) },
  { kind: "429 with Retry-After", weight: 2, body: () => ({ kind: "error", status: 429, code: 42910, retryAfter: 1 }) },
  { kind: "a hang", weight: 2, body: (random) => ({ kind: "hang", holdMs: random.pick([400, 2_000, 20_000]) }) },
  { kind: "a reset", weight: 3, body: () => ({ kind: "reset" }) },
  { kind: "a truncated answer", weight: 3, body: () => ({ kind: "truncate" }) },
  {
    kind: "a lost answer",
    weight: 4,
    body: (random) =>
      random.pick([
        { kind: "reset", stored: true },
        { kind: "hang", stored: true, holdMs: 20_000 },
        { kind: "error", status: 504, stored: true },
      ]),
  },
  { kind: "slowness", weight: 2, body: (random) => ({ kind: "slow", holdMs: random.between(100, 3_000) }) },
];

/** What goes wrong with requests for several jobs besides. None of it blames a message for good: nothing is to be set aside. */
const FAULTS_OF_BATCHES: Kind[] = [
  { kind: "400 of a whole batch", weight: 2, body: () => ({ kind: "error", status: 400, code: 40000, transport: "rest-batch" }) },
  { kind: "413 of a whole batch", weight: 1, body: () => ({ kind: "error", status: 413, code: 40009, transport: "rest-batch" }) },
  { kind: "429 of a part", weight: 3, body: () => ({ kind: "error", status: 429, code: 42913, transport: "rest-part" }) },
  { kind: "500 of a part", weight: 3, body: () => ({ kind: "error", status: 500, code: 50000, transport: "rest-part" }) },
  {
    kind: "500 of a part that is stored",
    weight: 2,
    body: () => ({ kind: "error", status: 500, code: 50000, stored: true, transport: "rest-part" }),
  },
];

/** What keeps messages waiting until the runtime is killed. */
const STUCK: Fault[] = [
  { kind: "5xx", body: { kind: "error", status: 503 } },
  { kind: "a hang", body: { kind: "hang", holdMs: 60_000 } },
  { kind: "a reset", body: { kind: "reset" } },
  { kind: "a lost answer", body: { kind: "hang", stored: true, holdMs: 60_000 } },
];

/** Every so many rounds, one is silent. */
const SILENT_EVERY = 4;
/** So many more faults are planned than are asked for, since some meet no publish. */
const SPARE = 1.15;

/** How many phones there are: every third job has two. */
export function phonesOf(jobs: number): { job: number; name: string }[] {
  const first = Array.from({ length: jobs }, (_, job) => ({ job, name: `driver-${job}` }));
  return [...first, ...first.filter(({ job }) => job % 3 === 0).map(({ job, name }) => ({ job, name: `${name}-b` }))];
}

/** The rounds, without an end: whoever runs them ends when there were kills and faults enough. */
export function* rounds(random: Random, options: Options): Generator<Round, never> {
  const phones = phonesOf(options.jobs).length;
  const kinds = options.publishing === "batched" ? [...FAULTS, ...FAULTS_OF_BATCHES] : FAULTS;
  const noisy = Math.max(1, Math.ceil((options.kills * (SILENT_EVERY - 1)) / SILENT_EVERY));
  const faults = Math.ceil((options.faults * SPARE) / noisy);
  // A second time in a long run, when there is more behind the jobs.
  const wrongKeyAt = [Math.floor(options.kills / 3), Math.floor((options.kills * 2) / 3)].slice(0, options.kills >= 20 ? 2 : 1);
  for (let index = 0; ; index += 1) {
    const of = random.of(index);
    if (wrongKeyAt.includes(index)) yield wrongKey(of, phones, options.wrongKeyMs);
    else if (index % SILENT_EVERY === SILENT_EVERY - 1) yield silent(of, phones);
    else yield noise(of, phones, faults, kinds);
  }
}

/** Posts, faults and a kill in their midst. */
function noise(random: Random, phones: number, faults: number, kinds: readonly Kind[]): Round {
  const length = random.between(1_200, 2_600);
  return {
    posts: posts(random.of("posts"), phones, random.between(10, 26), length),
    faults: inOrder(Array.from({ length: faults }, (_, index) => ({ at: random.between(0, length), ...fault(random.of(index), kinds) }))),
    kill: random.between(100, length + 300),
    down: random.chance(0.5) ? 0 : random.between(0, 600),
    ...(random.chance(0.15) && { killAgain: random.between(0, 400) }),
    silent: false,
  };
}

/** Some posts that cannot leave, their last answer, and a kill. */
function silent(random: Random, phones: number): Round {
  return {
    posts: posts(random.of("posts"), phones, random.between(4, 12), 600),
    faults: [{ at: 0, ...random.pick(STUCK) }],
    kill: random.chance(0.5) ? 0 : random.between(0, 150),
    down: random.between(0, 400),
    silent: true,
  };
}

/** Posts while Ably refuses the key, and a kill meanwhile. */
function wrongKey(random: Random, phones: number, forMs: number): Round {
  return {
    posts: posts(random.of("posts"), phones, Math.ceil(forMs / 150), forMs),
    faults: [{ at: 0, kind: WRONG_KEY, body: { kind: "refuse-key", code: 40101, forMs } }],
    kill: random.between(Math.floor(forMs / 4), forMs),
    down: 0,
    silent: false,
  };
}

function posts(random: Random, phones: number, count: number, length: number): PlannedPost[] {
  return inOrder(Array.from({ length: count }, (_, index) => post(random.of(index), random.between(0, length), phones)));
}

function post(random: Random, at: number, phones: number): PlannedPost {
  return {
    at,
    phone: random.between(0, phones - 1),
    naming: random.pick(["ids", "ids", "times", "times", "key", "nothing"]),
    fresh: random.chance(0.5) ? 1 : random.between(2, 12),
    overlap: random.chance(0.25) ? random.between(1, 5) : 0,
    repeats: random.chance(0.12),
    impossible: random.chance(0.05),
    sentAt: random.chance(0.4),
    ...(random.chance(0.1) && { jump: random.pick([-1, 0, 1]) }),
    ...(random.chance(0.08) && { patience: random.between(1, 30) }),
    twice: random.chance(0.05),
  };
}

function fault(random: Random, kinds: readonly Kind[]): Fault {
  const { kind, body } = random.weighted(kinds);
  return { kind, body: { times: 1, ...body(random) } };
}

function inOrder<T extends { at: number }>(all: T[]): T[] {
  return all.sort((one, other) => one.at - other.at);
}
