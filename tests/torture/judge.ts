// The judgement on a run: what the drivers were told, what a subscriber heard, what Ably keeps and what the trail says, compared.
// It asks nobody; all that it knows is handed to it.

/** A fix as a driver posted it. Its position is no other fix's. */
export interface Posted {
  job: string;
  lat: number;
  lng: number;
  /** Whether a retry of it can be recognised. One that cannot may be accepted as often as it was sent. */
  recognisable: boolean;
  /** How often it was sent. */
  sent: number;
  /** Each `epoch.seq` that a driver was told for it. */
  told: string[];
}

/** A message of a job's channel. */
export interface Message {
  id?: string;
  name?: string;
  /** When Ably took it, epoch milliseconds. */
  timestamp: number;
  data: any;
}

/** What `GET …/locations` says of a job, all its pages together. */
export interface Trail {
  published: { epoch: number; seq: number } | null;
  setAside: { epoch: number; fromSeq: number; seq: number }[];
  locations: { epoch: number; seq: number; lat: number; lng: number }[];
}

/** All that is known of a job. */
export interface Evidence {
  job: string;
  posted: Posted[];
  /** In the order in which the subscriber got it. */
  heard: Message[];
  /** In Ably's own order. */
  history: Message[];
  trail: Trail;
}

/** For how long Ably recognises a message by its id. */
export const WINDOW_MS = 120_000;

const NONE = {
  /** Fixes that a driver was told a seq for. */
  accepted: 0,
  /** Those of them that the subscriber heard. */
  published: 0,
  /** Seqs that Ably refused for good, by the trail. */
  setAside: 0,
  /** Seqs that a driver was told, or that the trail has, and that the subscriber never heard or the trail does not have. */
  lost: 0,
  /** Seqs that the subscriber heard again within Ably's window. */
  doubled: 0,
  /** Those that came again after it. */
  doubledLater: 0,
  /** Messages that Ably keeps although it had taken one of the same id within its window. */
  sameId: 0,
  /** Messages behind one with a higher place. */
  outOfOrder: 0,
  /** Seqs that were left out when the next was heard, or that the trail leaves out. */
  gaps: 0,
  /** Fixes that were told two places or kept twice, and places told for two fixes. */
  renumbered: 0,
  /** Fixes whose position is another one to the subscriber or in the trail, and messages that do not tell each of their seqs once. */
  altered: 0,
  /** Jobs of which the trail does not say that all is published. */
  unconfirmed: 0,
  /** Messages that Ably keeps and the subscriber has not heard, or not in that order: the fault is the subscriber's or Ably's. */
  unheard: 0,
};

export type Counts = typeof NONE;

/** What must not happen at all. */
const VIOLATIONS = ["setAside", "lost", "doubled", "sameId", "outOfOrder", "gaps", "renumbered", "altered", "unconfirmed", "unheard"] as const;

export interface Verdict {
  counts: Counts;
  /** What each count that should be 0 is about. */
  findings: string[];
}

export function judge(jobs: readonly Evidence[]): Verdict {
  const verdict: Verdict = { counts: { ...NONE }, findings: [] };
  for (const evidence of jobs) new Case(evidence, verdict).judge();
  return verdict;
}

/** Whether nothing happened that must not. */
export function isClean({ counts }: Verdict): boolean {
  return VIOLATIONS.every((name) => counts[name] === 0);
}

interface Place {
  epoch: number;
  seq: number;
}

interface Told extends Place {
  lat: number;
  lng: number;
}

const text = ({ epoch, seq }: Place) => `${epoch}.${seq}`;
const isBefore = (one: Place, other: Place) => (one.epoch === other.epoch ? one.seq < other.seq : one.epoch < other.epoch);
const position = ({ lat, lng }: { lat: number; lng: number }) => `${lat},${lng}`;

/** One job's. */
class Case {
  readonly #evidence: Evidence;
  readonly #verdict: Verdict;
  readonly #byPosition: Map<string, Posted>;
  /** When the subscriber first heard each place. */
  readonly #heardAt = new Map<string, number>();

  constructor(evidence: Evidence, verdict: Verdict) {
    this.#evidence = evidence;
    this.#verdict = verdict;
    this.#byPosition = new Map(evidence.posted.map((fix) => [position(fix), fix]));
  }

  judge() {
    this.#answers();
    this.#heard();
    this.#trail();
    this.#history();
  }

  #found(name: keyof Counts, what: string, times = 1) {
    if (times === 0) return;
    this.#verdict.counts[name] += times;
    this.#verdict.findings.push(`${name}: ${this.#evidence.job}: ${what}`);
  }

  /** What the drivers were told contradicts itself nowhere. */
  #answers() {
    const owner = new Map<string, Posted>();
    for (const fix of this.#evidence.posted) {
      if (fix.recognisable && fix.told.length > 1) this.#found("renumbered", `one fix was told ${fix.told.join(" and ")}`);
      for (const place of fix.told) {
        if (owner.has(place)) this.#found("renumbered", `two fixes were told ${place}`);
        owner.set(place, fix);
      }
    }
    this.#verdict.counts.accepted += owner.size;
  }

  #heard() {
    let last: Place = { epoch: 0, seq: 0 };
    for (const message of this.#evidence.heard) {
      if (message.name !== "location.updated" && message.name !== "location.backfilled") continue;
      const told = this.#told(message);
      const first = told[0];
      const end = told.at(-1);
      if (first === undefined || end === undefined) continue;
      const again = told.filter((fix) => this.#heardAt.has(text(fix)));
      for (const fix of again) {
        const apart = message.timestamp - (this.#heardAt.get(text(fix)) ?? 0);
        this.#found(apart < WINDOW_MS ? "doubled" : "doubledLater", `${text(fix)} came again ${apart} ms later`);
      }
      for (const fix of told) if (!this.#heardAt.has(text(fix))) this.#heardAt.set(text(fix), message.timestamp);
      if (again.length === told.length) continue;
      if (isBefore(end, last)) {
        this.#found("outOfOrder", `${text(end)} came after ${text(last)}`);
        continue;
      }
      const expected = first.epoch === last.epoch ? last.seq + 1 : 1;
      if (first.seq > expected) this.#found("gaps", `${text(first)} came after ${text(last)}`, this.#unexplained(first.epoch, expected, first.seq - 1));
      last = end;
    }
  }

  /** The fixes that a message stands for, by seq: those that it tells, which should be one of each seq. */
  #told({ name, data }: Message): Told[] {
    const { epoch, seq, fromSeq, headSeq = seq, lat, lng, backfill = [] } = data;
    const told: Told[] = backfill.map(([seq, , lat, lng]: number[]) => ({ epoch, seq, lat, lng }));
    if (name === "location.updated") told.push({ epoch, seq: headSeq, lat, lng });
    told.sort((one, other) => one.seq - other.seq);
    const seqs = told.map((fix) => fix.seq);
    const isWhole = seqs.length === seq - fromSeq + 1 && seqs.every((own, index) => own === fromSeq + index);
    if (!isWhole) this.#found("altered", `the message ${fromSeq} to ${seq} of ${epoch} tells ${seqs.join(", ")}`);
    for (const fix of told) this.#sameAsTold(fix, "the subscriber");
    return told;
  }

  /** That this place, as somebody says, holds the fix that its driver was told it holds. */
  #sameAsTold(fix: Told, who: string) {
    const posted = this.#byPosition.get(position(fix));
    if (posted === undefined) this.#found("altered", `nobody posted what ${text(fix)} is to ${who}`);
    else if (posted.recognisable && posted.told.length > 0 && !posted.told.includes(text(fix))) {
      this.#found("renumbered", `the driver was told ${posted.told.join()} for what ${text(fix)} is to ${who}`);
    }
  }

  /** How many seqs of a range were not set aside. */
  #unexplained(epoch: number, from: number, to: number): number {
    const seqs = Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
    return seqs.filter((seq) => !this.#isSetAside({ epoch, seq })).length;
  }

  #isSetAside({ epoch, seq }: Place): boolean {
    return this.#evidence.trail.setAside.some((range) => range.epoch === epoch && range.fromSeq <= seq && seq <= range.seq);
  }

  #trail() {
    const { posted, trail } = this.#evidence;
    for (const { epoch, fromSeq, seq } of trail.setAside) this.#found("setAside", `${fromSeq} to ${seq} of ${epoch}`, seq - fromSeq + 1);
    const kept = new Map<string, Posted | undefined>();
    const copies = new Map<Posted, number>();
    let last: Place = { epoch: 0, seq: 0 };
    for (const fix of trail.locations) {
      const expected = fix.epoch === last.epoch ? last.seq + 1 : 1;
      if (kept.has(text(fix))) this.#found("renumbered", `the trail has ${text(fix)} twice`);
      else if (isBefore(fix, last)) this.#found("outOfOrder", `the trail has ${text(fix)} after ${text(last)}`);
      else this.#found("gaps", `the trail has ${text(fix)} after ${text(last)}`, Math.max(0, fix.seq - expected));
      last = isBefore(fix, last) ? last : fix;
      const owner = this.#byPosition.get(position(fix));
      kept.set(text(fix), owner);
      this.#sameAsTold(fix, "the trail");
      if (owner === undefined) continue;
      const times = (copies.get(owner) ?? 0) + 1;
      copies.set(owner, times);
      if (times > (owner.recognisable ? 1 : owner.sent)) this.#found("renumbered", `${text(fix)} is kept although it was posted ${owner.sent} times`);
    }
    const told = new Set(posted.flatMap((fix) => fix.told));
    for (const place of told) if (!kept.has(place)) this.#found("lost", `the trail has no ${place}, which a driver was told`);
    for (const place of new Set([...told, ...kept.keys()])) {
      const [epoch = 0, seq = 0] = place.split(".").map(Number);
      if (this.#heardAt.has(place)) this.#verdict.counts.published += 1;
      else if (!this.#isSetAside({ epoch, seq })) this.#found("lost", `the subscriber never heard ${place}`);
    }
    for (const place of this.#heardAt.keys()) if (!kept.has(place)) this.#found("lost", `the trail has no ${place}, which was heard`);
    if (trail.locations.length > 0 && (trail.published === null || text(trail.published) !== text(last))) {
      this.#found("unconfirmed", `published is ${trail.published && text(trail.published)}, and the last is ${text(last)}`);
    }
  }

  /** Ably's own record: nothing is in it twice, and the subscriber has heard all of it. */
  #history() {
    const { heard, history } = this.#evidence;
    const takenAt = new Map<string, number>();
    for (const { id = "", timestamp } of history) {
      const before = takenAt.get(id);
      if (before !== undefined && timestamp - before < WINDOW_MS) this.#found("sameId", `Ably has ${id} twice`);
      takenAt.set(id, timestamp);
    }
    const ids = heard.map(({ id }) => id);
    const differs = Math.max(history.length, ids.length);
    const at = Array.from({ length: differs }, (_, index) => index).find((index) => history[index]?.id !== ids[index]);
    if (at !== undefined) this.#found("unheard", `Ably's ${history[at]?.id} is ${ids[at]} to the subscriber`);
  }
}
