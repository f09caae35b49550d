// A job as the service keeps it and tells it to one viewer, as docs/http.md, docs/jobs.md and docs/streams.md say: for games.

import type { FirstState, Place, TrailPage } from "../../src/wire.ts";
import type { Chance } from "./chance.ts";

export const JOB = "job-1";
/** The service's clock when a game begins. */
export const T = 1_795_564_722_000;
const SILENT_AFTER = 60_000;

export interface Fix {
  /** Its place in all that happens. */
  n: number;
  epoch: number;
  seq: number;
  ts: number;
  capturedAt: number;
  isLate: boolean;
}

interface Message {
  name: string;
  data: Record<string, unknown>;
}

/** What the viewer is told at once, in order: a message, or that what they may see is another than before. */
export type Told = { is: "message"; name: string; data: unknown } | { is: "withheld" } | { is: "opened" } | { is: "removed" } | { is: "added" };

/** Where a fix is: by it a test knows whether a position is the one of its place. */
export const latitude = ({ epoch, seq }: Place): number => (epoch % 1_000) + seq / 1_000;

const isAfter = (a: Place, b: Place): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);

export class Service {
  readonly #chance: Chance;
  readonly #tell: (told: Told) => void;
  /** Milliseconds since the game began. */
  t = 0;
  /** Sees the present epoch only, as a customer does. */
  readonly isCustomer: boolean;
  readonly fixes: Fix[] = [];
  /** What waits for Ably: posts by their fixes, and events. */
  #outbox: (Fix[] | Message)[] = [];
  #setAside: Fix[][] = [];
  epoch: number | undefined;
  #seq = 0;
  #n = 0;
  #version = 0;
  #live: Fix | undefined;
  #lastHeard: number | undefined;
  #lastFix: number | undefined;
  #heartbeat: "parked" | "no_fix" | undefined;
  #isSilentTold = false;
  /** In which epoch the vehicle has arrived, and when; and whether the place is still the one at which it has. */
  #arrived: { epoch: number; at: number; isHere: boolean } | undefined;
  isClosed = false;
  isRemoved = false;
  isWithheld = false;
  /** What the viewer sees: what is after this, and was measured since. */
  #after = 0;
  #since = -Infinity;

  constructor(chance: Chance, tell: (told: Told) => void) {
    this.#chance = chance;
    this.#tell = tell;
    this.isCustomer = chance.is(0.5);
  }

  get now(): number {
    return T + this.t;
  }

  #sees = (fix: Fix): boolean => fix.n > this.#after && fix.capturedAt >= this.#since && (!this.isCustomer || fix.epoch === this.epoch);

  /** The marker that the viewer should see. */
  get marker(): Fix | undefined {
    return this.#live && this.#sees(this.#live) ? this.#live : undefined;
  }

  /** And the trail, by time. */
  get trail(): Fix[] {
    return this.fixes.filter((fix) => fix.epoch === this.epoch && this.#sees(fix)).sort((a, b) => a.capturedAt - b.capturedAt || a.seq - b.seq);
  }

  get arrivedAt(): number | undefined {
    const arrived = this.#arrived;
    return arrived?.isHere && arrived.epoch === this.epoch && arrived.at >= this.#since ? arrived.at : undefined;
  }

  get silentSince(): number | undefined {
    return this.#lastHeard !== undefined && this.now - this.#lastHeard > SILENT_AFTER ? this.#lastHeard : undefined;
  }

  /** Something happens. */
  step(): void {
    const { below, is } = this.#chance;
    this.#watch();
    const what = below(100);
    if (this.isClosed) return;
    if (what < 55) this.#post();
    else if (what < 65) this.flush();
    else if (what < 72) this.#beat();
    else if (what < 78) this.#reassign();
    else if (what < 82) this.#event("job.updated", { type: `t${below(3)}`, version: ++this.#version });
    else if (what < 84) this.#move();
    else if (what < 87 && this.marker && this.#arrived?.epoch !== this.epoch) {
      this.#arrived = { epoch: this.marker.epoch, at: this.marker.capturedAt, isHere: true };
      this.#event("driver.arrived", {});
    } else if (what < 90) this.#sendAgain();
    else if (what < 96 && this.isCustomer) this.#gate();
    else if (what < 98) this.#takePart();
    else if (what < 99) this.#close();
    if (is(0.6)) this.flush();
  }

  #begin(): number {
    this.epoch ??= Math.floor(this.now / 1_000);
    return this.epoch;
  }

  #post(): void {
    const { below, is } = this.#chance;
    const epoch = this.#begin();
    this.#heard();
    const post: Fix[] = [];
    for (let count = 1 + (is(0.3) ? below(4) : 0); count > 0; count--) {
      const isLate = this.#live !== undefined && is(0.25);
      // Seldom two are measured in one millisecond.
      const capturedAt = isLate ? this.#live!.capturedAt - 1 - below(5_000) : Math.max(this.now - below(300), this.#live?.capturedAt ?? 0);
      const fix = { n: ++this.#n, epoch, seq: ++this.#seq, ts: this.now, capturedAt, isLate };
      if (!isLate) this.#live = fix;
      post.push(fix);
    }
    this.fixes.push(...post);
    this.#lastFix = this.now;
    this.#heartbeat = undefined;
    this.#outbox.push(post);
  }

  #heard(): void {
    this.#lastHeard = this.now;
    if (this.#isSilentTold) this.#event("driver.heard", { since: this.now });
    this.#isSilentTold = false;
  }

  #beat(): void {
    if (this.epoch === undefined) return;
    this.#heard();
    this.#heartbeat = this.#chance.is(0.5) ? "parked" : "no_fix";
  }

  /** Tells of silence once it is there: before anything that is asked. */
  #watch(): void {
    if (this.isClosed || this.#isSilentTold || this.silentSince === undefined) return;
    this.#isSilentTold = true;
    this.#event("driver.silent", { since: this.#lastHeard });
  }

  #event(name: string, more: object): void {
    const epoch = this.#begin();
    this.#outbox.push({ name, data: { jobId: JOB, epoch, afterSeq: this.#seq, version: 1, ts: this.now, ...more } });
  }

  #reassign(): void {
    // What waits of the old epoch never leaves.
    this.#outbox = [];
    this.#setAside = [];
    this.epoch = Math.max(Math.floor(this.now / 1_000), (this.epoch ?? 0) + 1);
    this.#seq = 0;
    this.#live = this.#lastHeard = this.#lastFix = this.#heartbeat = undefined;
    this.#isSilentTold = false;
    this.#event("job.reassigned", {});
  }

  /** The place is another. */
  #move(): void {
    if (this.#arrived) this.#arrived.isHere = false;
    this.#event("job.updated", { type: "registration", version: ++this.#version });
  }

  #close(): void {
    this.#outbox = [];
    if (!this.isWithheld) this.#event("job.closed", { reason: "done" });
    this.flush();
    this.isClosed = true;
  }

  #gate(): void {
    this.flush();
    if (this.isRemoved) return;
    this.isWithheld = !this.isWithheld;
    if (this.isWithheld) return this.#tell({ is: "withheld" });
    this.#joins();
    this.#tell({ is: "opened" });
  }

  /** From now on they see what comes. */
  #joins(): void {
    this.#after = this.#n;
    this.#since = this.now;
  }

  #takePart(): void {
    this.flush();
    this.isRemoved = !this.isRemoved;
    if (!this.isRemoved) this.#joins();
    this.#tell({ is: this.isRemoved ? "removed" : "added" });
  }

  /** What was set aside is sent once more, as a backfill. */
  #sendAgain(): void {
    const range = this.#setAside.shift();
    if (range) this.#publish(this.#backfilled(range, range[0]!.seq));
  }

  #backfilled(fixes: Fix[], fromSeq: number): Message {
    const last = fixes.at(-1)!;
    const backfill = fixes.filter(this.#sees).map((fix) => [fix.seq, fix.capturedAt, latitude(fix), 1, "more"]);
    return { name: "location.backfilled", data: { jobId: JOB, epoch: last.epoch, fromSeq, seq: last.seq, ts: last.ts, backfill } };
  }

  /** What waits leaves. Posts gather. */
  flush(): void {
    const { is } = this.#chance;
    while (this.#outbox.length > 0) {
      const item = this.#outbox.shift()!;
      if (!Array.isArray(item)) {
        this.#publish(item);
        continue;
      }
      const fixes = [...item];
      while (Array.isArray(this.#outbox[0]) && is(0.7)) fixes.push(...(this.#outbox.shift() as Fix[]));
      const fromSeq = fixes[0]!.seq;
      if (is(0.06)) {
        this.#setAside.push(fixes);
        continue;
      }
      const newest = fixes.findLast((fix) => !fix.isLate);
      const last = fixes.at(-1)!;
      if (newest === undefined || !this.#sees(newest)) this.#publish(this.#backfilled(fixes, fromSeq));
      else {
        const others = fixes.filter((fix) => fix !== newest && this.#sees(fix));
        this.#publish({
          name: "location.updated",
          data: {
            ...this.#told(newest),
            fromSeq,
            seq: last.seq,
            ...(newest === last ? {} : { headSeq: newest.seq }),
            ...(others.length > 0 ? { backfill: others.map((fix) => [fix.seq, fix.capturedAt, latitude(fix), 1]) } : {}),
          },
        });
      }
    }
  }

  #told = (fix: Fix) => ({ jobId: JOB, epoch: fix.epoch, seq: fix.seq, fromSeq: fix.seq, lat: latitude(fix), lng: 1, capturedAt: fix.capturedAt, ts: fix.ts });

  #publish(message: Message): void {
    if (!this.isRemoved && !this.isWithheld) this.#tell({ is: "message", ...message });
  }

  /** `GET …/location`; nothing where it is refused. */
  first(): FirstState | "ended" | "not_yours" {
    this.#watch();
    if (this.isRemoved) return "not_yours";
    if (this.isClosed) return "ended";
    const { now } = this;
    if (this.isWithheld) return { jobId: JOB, withheld: true, gate: "from", opensAt: T + 86_400_000, now };
    const isMissing = this.#lastFix !== undefined && this.silentSince === undefined && now - this.#lastFix > SILENT_AFTER && this.#heartbeat !== "parked";
    const vitals = {
      ...(this.#lastHeard === undefined ? {} : { lastHeard: this.#lastHeard }),
      ...(this.#heartbeat === undefined ? {} : { heartbeat: this.#heartbeat }),
      ...(this.silentSince === undefined ? {} : { silentSince: this.silentSince }),
      ...(isMissing ? { fixMissingSince: this.#lastFix } : {}),
      ...(this.arrivedAt === undefined ? {} : { arrivedAt: this.arrivedAt }),
    };
    const { marker } = this;
    return (marker ? { ...this.#told(marker), now, ageMs: now - marker.capturedAt, ...vitals } : { jobId: JOB, epoch: this.epoch ?? null, seq: 0, now, ...vitals }) as FirstState;
  }

  /** `GET …/locations`. */
  page(after: Place, limit: number): TrailPage | "ended" | "not_yours" {
    this.#watch();
    if (this.isRemoved) return "not_yours";
    if (this.isClosed) return "ended";
    if (this.isWithheld) return { jobId: JOB, withheld: true, gate: "from", now: this.now };
    const all = this.fixes.filter((fix) => isAfter(fix, after) && this.#sees(fix));
    const some = all.slice(0, limit);
    const last = some.at(-1);
    return {
      jobId: JOB,
      epoch: this.epoch ?? null,
      published: null,
      setAside: [],
      locations: some.map((fix) => ({ epoch: fix.epoch, seq: fix.seq, ts: fix.ts, capturedAt: fix.capturedAt, lat: latitude(fix), lng: 1, ...(fix.isLate ? { late: true as const } : {}) })),
      next: all.length > some.length ? `${last!.epoch}.${last!.seq}` : null,
    };
  }
}
