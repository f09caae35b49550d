// A platform that registers jobs, hands them from one driver to another, tells of other changes, and closes them, in the midst of all that;
// and two drivers who post to each, whether it is theirs or not. Its jobs are judged by other rules: what is not published any more is meant to be so.

import { setTimeout as delay } from "node:timers/promises";
import { Rest } from "ably";
import { ablyAddress } from "../../scripts/dev/facts.mjs";
import type { Message } from "./judge.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

const DRIVERS = ["tow-a", "tow-b"];
/** How many jobs go on at once. */
const SLOTS = 2;
const PAUSE_MS = 100;
const PATIENCE_MS = 10_000;
const PAGE = 1_000;
/** How long what the last drivers have posted may take to leave at the end. */
const PEACE_MS = 120_000;

/** A fix that a driver was told a place for. */
interface Taken {
  epoch: number;
  seq: number;
  driver: string;
  lat: number;
}

/** An event that the platform was told a place for. */
interface Announced {
  id: string;
  epoch: number;
  afterSeq: number;
}

/** A job as its platform knows it. */
export interface Registered {
  job: string;
  /** Whose each epoch is, from the first on that began when the job was registered: before that it was whoever's claims said so. */
  epochs: Map<number, string>;
  taken: Taken[];
  announced: Announced[];
  isClosed: boolean;
}

export interface Dispatched {
  jobs: number;
  reassignments: number;
  closes: number;
  accepted: number;
  events: number;
  /** Those of the fixes that subscribers never hear, since the job was another's by then, or closed. */
  withdrawn: number;
  findings: string[];
}

export class Dispatch {
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly #jobs: Registered[] = [];
  #reassignments = 0;
  #fixes = 0;
  #isOver = false;
  #going: Promise<void>;

  constructor(world: World, random: Random, signal: AbortSignal) {
    this.#world = world;
    this.#signal = signal;
    this.#going = Promise.all(Array.from({ length: SLOTS }, (_, slot) => this.#slot(slot, random.of(slot)))).then(() => {});
    // Whoever ends it hears of it.
    this.#going.catch(() => {});
  }

  /** Ends it, and judges what it has done by what Ably keeps. */
  async end(): Promise<Dispatched> {
    this.#isOver = true;
    await this.#going;
    const { key, url } = this.#world.ably;
    const rest = new Rest({ key, ...ablyAddress(url), logLevel: 0 });
    const histories = await Promise.all(this.#jobs.map((job) => this.#history(rest, job)));
    const judged = this.#jobs.map((job, index) => judgeRegistered(job, histories[index] ?? []));
    return {
      jobs: this.#jobs.length,
      reassignments: this.#reassignments,
      closes: this.#jobs.filter(({ isClosed }) => isClosed).length,
      accepted: this.#jobs.reduce((sum, { taken }) => sum + taken.length, 0),
      events: this.#jobs.reduce((sum, { announced }) => sum + announced.length, 0),
      withdrawn: judged.reduce((sum, { withdrawn }) => sum + withdrawn, 0),
      findings: judged.flatMap(({ findings }) => findings),
    };
  }

  /** What Ably keeps of a job, once nothing is missing any more, or for long enough. */
  async #history(rest: Rest, job: Registered): Promise<Message[]> {
    for (const end = performance.now() + PEACE_MS; ; await delay(500, undefined, { signal: this.#signal })) {
      const all: Message[] = [];
      let page = await rest.channels.get(`dispatch:job:${job.job}`).history({ direction: "forwards", limit: PAGE });
      for (; page; page = (page.hasNext() ? await page.next() : undefined) as typeof page) {
        all.push(...page.items.map(({ name, timestamp, data }) => ({ ...(name !== undefined && { name }), timestamp: timestamp ?? 0, data })));
      }
      if (isAllThere(job, all) || performance.now() > end) return all;
    }
  }

  /** One job after the other. */
  async #slot(slot: number, random: Random): Promise<void> {
    for (let count = 0; !this.#isOver; count += 1) {
      const job: Registered = { job: `towed-${slot}-${count}`, epochs: new Map(), taken: [], announced: [], isClosed: false };
      this.#jobs.push(job);
      let isOver = false;
      const life = (async () => {
        const changes = random.between(3, 12);
        for (let change = 0; change < changes && !this.#isOver; change += 1) {
          await this.#assign(job, random.pick(DRIVERS));
          await this.#announce(job, `event-${change}`);
          await delay(random.between(50, 1_500), undefined, { signal: this.#signal });
        }
        if (!this.#isOver) {
          await this.#platform("POST", `/api/jobs/${job.job}/close`, { reason: "done" });
          job.isClosed = true;
        }
        isOver = true;
      })();
      await Promise.all([life, ...DRIVERS.map((driver) => this.#drive(job, driver, () => isOver))]);
    }
  }

  async #assign(job: Registered, driver: string): Promise<void> {
    const { epoch } = await this.#platform("PUT", `/api/jobs/${job.job}`, { driver, customers: ["customer"] });
    if (job.epochs.size > 0 && !job.epochs.has(epoch)) this.#reassignments += 1;
    job.epochs.set(epoch, driver);
  }

  async #announce(job: Registered, id: string): Promise<void> {
    const { epoch, afterSeq } = await this.#platform("POST", `/api/jobs/${job.job}/events`, { id, type: "note", version: 1 });
    job.announced.push({ id, epoch, afterSeq });
  }

  async #drive(job: Registered, driver: string, isOver: () => boolean): Promise<void> {
    const headers = this.#world.session({ sub: driver, role: "driver", jobs: [job.job] });
    while (!isOver() && !this.#isOver) {
      this.#fixes += 1;
      const [lat, id] = [this.#fixes / 1e6, `fix-${this.#fixes}`];
      const answer = await this.#insist("POST", `/api/jobs/${job.job}/location`, headers, { lat, lng: 1, id });
      const [result] = (answer?.results ?? []) as { status: string; seq: number }[];
      // A first answer that was lost is told again.
      if (result?.status === "accepted" || result?.status === "duplicate") job.taken.push({ epoch: answer.epoch, seq: result.seq, driver, lat });
      await delay(PAUSE_MS, undefined, { signal: this.#signal });
    }
  }

  #platform(method: string, path: string, body: object): Promise<any> {
    return this.#insist(method, path, this.#world.session({ sub: "platform", role: "service" }), body);
  }

  /** Sends the same until it is answered by more than that it should be sent again. Nothing, where it is refused. */
  async #insist(method: string, path: string, headers: Record<string, string>, body: object): Promise<any> {
    for (;;) {
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(PATIENCE_MS)]);
      const response = await fetch(`${this.#world.url}${path}`, { method, headers, body: JSON.stringify(body), signal }).catch(() => undefined);
      const text = await response?.text().catch(() => undefined);
      this.#signal.throwIfAborted();
      if (response !== undefined && text !== undefined) {
        if (response.ok) return JSON.parse(text);
        // A driver who has never had it.
        if (response.status === 403 && text.includes("not_a_participant")) return undefined;
        if (response.status < 500 && response.status !== 429) throw new Error(`${method} ${path} is answered ${response.status}: ${text}`);
      }
      await delay(PAUSE_MS, undefined, { signal: this.#signal });
    }
  }
}

/** Whether Ably has all that is to be published of it. */
function isAllThere({ epochs, taken, announced, isClosed }: Registered, history: readonly Message[]): boolean {
  if (isClosed) return history.some(({ name }) => name === "job.closed");
  const last = Math.max(...epochs.keys());
  const there = placesIn(history);
  const told = new Set(history.map(({ data }) => data.id));
  return (
    taken.every(({ epoch, seq }) => epoch !== last || there.has(`${epoch}.${seq}`)) &&
    announced.every(({ epoch, id }) => epoch !== last || told.has(id))
  );
}

function placesIn(history: readonly Message[]): Set<string> {
  const located = history.filter(({ name }) => name?.startsWith("location."));
  return new Set(located.flatMap(({ data: { epoch, fromSeq, seq } }) => Array.from({ length: seq - fromSeq + 1 }, (_, index) => `${epoch}.${fromSeq + index}`)));
}

/** The judgement on one job. */
export function judgeRegistered(registered: Registered, history: readonly Message[]): { withdrawn: number; findings: string[] } {
  const { job, epochs, taken, announced, isClosed } = registered;
  const findings: string[] = [];
  const found = (what: string) => void findings.push(`${job}: ${what}`);
  const owners = new Map(taken.map((fix) => [fix.lat, fix]));
  const first = Math.min(...epochs.keys());
  for (const { epoch, seq, driver } of taken) {
    if (epoch >= first && epochs.get(epoch) !== driver) found(`${driver} was told ${epoch}.${seq}, which is an epoch of ${epochs.get(epoch)}`);
  }
  const places = new Map(announced.map((event) => [event.id, event]));
  /** The changes that were told, by where and what. */
  const told = new Set<string>();
  let [present, last, closed] = [0, 0, 0];
  for (const { name = "", data } of history) {
    const { epoch, fromSeq, seq, headSeq = seq, lat, backfill = [] } = data;
    if (closed > 0) found(`${name} of ${epoch} came after the end`);
    if (name === "job.closed") closed += 1;
    if (name.startsWith("job.")) {
      if (epoch < present) found(`${name} of ${epoch} came after ${present}`);
      if (epoch > present) [present, last] = [epoch, 0];
      if (name !== "job.updated" || told.has(`${epoch} ${data.id}`)) continue;
      told.add(`${epoch} ${data.id}`);
      if (data.afterSeq !== last) found(`${data.id} of ${epoch} came after ${last}, and not after ${data.afterSeq}`);
      const place = places.get(data.id);
      if (place !== undefined && (place.epoch !== epoch || place.afterSeq !== data.afterSeq)) found(`${data.id} of ${place.epoch} came in ${epoch}`);
      continue;
    }
    if (present === 0 && epoch < first) present = epoch;
    // Whether the driver is heard of has no seq.
    if (name.startsWith("driver.")) continue;
    if (epoch !== present) found(`fixes of ${epoch} came in ${present}`);
    // What is sent again after two minutes may come twice, and nothing else does.
    if (fromSeq !== last + 1 && seq > last) found(`${epoch}.${fromSeq} came after ${last}`);
    last = Math.max(last, seq);
    const fixes: [number, number][] = backfill.map(([own, , position]: number[]) => [own, position]);
    if (lat !== undefined) fixes.push([headSeq, lat]);
    for (const [own, position] of fixes) {
      const owner = owners.get(position);
      // One whose driver was never answered is nobody's here.
      if (owner !== undefined && (owner.epoch !== epoch || owner.seq !== own)) found(`${owner.epoch}.${owner.seq} came as ${epoch}.${own}`);
    }
  }
  const there = placesIn(history);
  const missing = taken.filter(({ epoch, seq }) => !there.has(`${epoch}.${seq}`));
  const lastEpoch = Math.max(...epochs.keys());
  for (const { epoch, seq } of missing) if (epoch === lastEpoch && !isClosed) found(`nobody ever heard ${epoch}.${seq}`);
  for (const { epoch, id } of announced) {
    if (epoch === lastEpoch && !isClosed && !told.has(`${epoch} ${id}`)) found(`nobody ever heard ${id}`);
  }
  if (isClosed && closed !== 1) found(`its end was told ${closed} times`);
  return { withdrawn: missing.length, findings };
}
