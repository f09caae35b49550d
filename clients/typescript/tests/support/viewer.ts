// A viewer of a job in a game: what they are told reaches the reducer over a network that loses, doubles, delays and turns around, and what
// must never be shown is looked for after each input.

import assert from "node:assert/strict";
import { ask, begin, points, reduce, show, type State } from "../../src/view/index.ts";
import type { Input, JobSnapshot } from "../../src/view/types.ts";
import type { FirstState, Place } from "../../src/wire.ts";
import type { Chance } from "./chance.ts";
import { JOB, latitude, type Service, T, type Told } from "./service.ts";

/** What goes wrong, as probabilities. */
export interface Faults {
  loses: number;
  doubles: number;
  /** Comes so many milliseconds later, at most. */
  delays: number;
  /** Erases, hides, cuts off: at each step. */
  acts: number;
}

export const NO_FAULTS: Faults = { loses: 0, doubles: 0, delays: 0, acts: 0 };

export class Viewer {
  state: State = begin(JOB);
  readonly #service: Service;
  readonly #chance: Chance;
  readonly #faults: Faults;
  /** Our clock less the game's time. */
  readonly #offset: number;
  #pending: { due: number; run: () => void; isMessage: boolean }[] = [];
  #isUp = true;
  /** When the stream was opened of which first states come. */
  #opened = 0;

  // What has to hold.
  #last: Place | undefined;
  #epoch = 0;
  /** Nothing that was accepted until then is for this viewer. */
  #gated = 0;
  #isEnded = false;
  #erasedAt = -Infinity;
  #mayShow = false;
  readonly #kept: { state: State; told: string }[] = [];
  /** Whether what the viewer may see was another meanwhile, and nobody has told: then the trail may have what they saw before. */
  #hasMissed = false;
  /** Whether something was lost that no repair brings back. */
  hasLost = false;

  constructor(service: Service, chance: Chance, faults: Faults) {
    this.#service = service;
    this.#chance = chance;
    this.#faults = faults;
    this.#offset = chance.below(1_000_000);
  }

  get #at(): number {
    return this.#service.t + this.#offset;
  }

  snapshot(staleAfterMs = Infinity): JobSnapshot {
    return show(this.state, this.#at, staleAfterMs);
  }

  #later(most: number, run: () => void, isMessage = false): void {
    if (most === 0) run();
    else this.#pending.push({ due: this.#service.t + this.#chance.below(most), run, isMessage });
  }

  /** What is due comes. */
  run(): void {
    for (;;) {
      const next = this.#pending.filter(({ due }) => due <= this.#service.t).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) return;
      this.#pending.splice(this.#pending.indexOf(next), 1);
      next.run();
    }
  }

  /** All that is on its way comes, in any order. */
  arrive(): void {
    for (const { run } of this.#pending.splice(0).sort(() => this.#chance() - 0.5)) run();
    if (this.#pending.length > 0) this.arrive();
  }

  hear(told: Told): void {
    const { loses, doubles, delays } = this.#faults;
    if (told.is === "message") {
      if (!this.#isUp || this.#chance.is(loses)) {
        this.hasLost = true;
        return;
      }
      const copies = this.#chance.is(doubles) ? 2 : 1;
      for (let n = 0; n < copies; n++) this.#later(this.#chance.is(0.5) ? delays : 0, () => this.#give({ is: "message", name: told.name, data: told.data, at: this.#at }), true);
      return;
    }
    if (!this.#isUp) {
      this.#hasMissed = true;
      return;
    }
    // What was told before has come, or never comes. Not so what was asked for.
    const messages = this.#pending.filter(({ isMessage }) => isMessage);
    this.#pending = this.#pending.filter(({ isMessage }) => !isMessage);
    for (const { run } of messages) if (this.#chance.is(0.7)) run();
    if (messages.length > 0) this.hasLost = true;
    if (told.is === "removed") return this.#give({ is: "refused", why: "not_yours", asked: this.#at, at: this.#at });
    if (told.is === "opened") this.#give({ is: "opened", at: this.#at });
    if (told.is === "added") {
      this.#opened = this.#at;
      this.askFirst();
    }
    else this.#answer(this.#service.first(), this.#opened);
  }

  #answer(first: FirstState | "ended" | "not_yours", asked: number): void {
    const times = { asked, at: this.#at };
    if (first === "ended") this.#give({ is: "refused", why: first, reason: "done", ...times });
    else this.#give(first === "not_yours" ? { is: "refused", why: first, ...times } : { is: "first", state: first, ...times });
  }

  askFirst(most = this.#faults.delays): void {
    const asked = this.#at;
    this.#later(most, () => {
      const first = this.#service.first();
      this.#later(most, () => this.#answer(first, asked));
    });
  }

  want(): void {
    this.#give({ is: "want_trail", at: this.#at });
  }

  askTrail(most = this.#faults.delays): boolean {
    const after = ask(this.state);
    if (after === undefined) return false;
    const asked = this.#at;
    this.#later(most, () => {
      const page = this.#service.page(after, 1 + this.#chance.below(this.#chance.is(0.5) ? 6 : 50));
      this.#later(most, () => {
        // By the first state the feed knows what to do.
        if (typeof page === "string") this.askFirst(most);
        else this.#give({ is: "trail", after, page, asked, at: this.#at });
      });
    });
    return true;
  }

  /** Something that viewers, pages and networks do. */
  act(): void {
    const { is, below } = this.#chance;
    if (!is(this.#faults.acts)) return;
    const what = below(10);
    if (what > 6) this.askTrail();
    else if (what === 0) {
      this.#give({ is: "erase", at: this.#at });
      if (is(0.8)) this.#opened = this.#at;
      this.askFirst();
    } else if (what === 1) this.askFirst();
    else if (what === 2) this.askTrail();
    else if (what === 3) this.want();
    else if (what === 4 && this.#isUp) {
      this.#isUp = false;
      this.#pending = this.#pending.filter(() => is(0.5));
      this.hasLost = true;
      this.#give({ is: "link", up: false, at: this.#at });
    } else if (what === 5 && !this.#isUp) this.up();
    else if (what === 6) this.#opened = this.#at;
  }

  up(): void {
    this.#isUp = true;
    this.#give({ is: "link", up: true, at: this.#at });
    this.askFirst();
  }

  /** Nothing is lost any more: what a page does until all is known. */
  repair(): void {
    this.arrive();
    this.#service.t += 1;
    this.#isUp = true;
    this.#give({ is: "link", up: true, at: this.#at });
    this.askFirst(0);
    this.want();
    this.fill();
  }

  fill(): void {
    for (let times = 0; ; times++) {
      this.#service.t += 1;
      if (!this.askTrail(0)) return;
      assert.ok(times < 1_000, "a hole is asked for without end");
    }
  }

  #give(input: Input): void {
    const { state } = this;
    if (this.#chance.is(0.02)) this.#kept.push({ state, told: JSON.stringify([show(state, 0), points(state)]) });
    this.state = reduce(state, input);
    if (["message", "trail", "link", "want_trail"].includes(input.is) && this.#chance.is(0.05)) assert.equal(reduce(this.state, input), this.state, "the same again changes nothing");
    this.#note(input);
    this.#check();
    // What is not to be seen is not kept either.
    const { hidden, marker, trail } = this.state;
    if ((hidden !== undefined && hidden !== "waiting") || input.is === "erase") assert.ok(marker === undefined && trail.log.length === 0, "not erased");
  }

  #note(input: Input): void {
    switch (input.is) {
      case "message": {
        const { epoch, ts } = input.data as { epoch: number; ts: number };
        const isOpen = !["not_yours", "withheld"].includes(String(this.state.hidden));
        if (isOpen && ts > this.#gated && !this.#isEnded) this.#epoch = Math.max(this.#epoch, epoch);
        if (input.name === "job.closed" && this.state.hidden !== "not_yours") this.#isEnded = true;
        break;
      }
      case "first":
        if (input.state.withheld) this.#gated = Math.max(this.#gated, input.state.now);
        else if (input.asked >= this.#erasedAt) this.#mayShow = true;
        break;
      case "refused":
      case "erase":
        // One of before the viewer was let in changes nothing.
        if (input.is === "refused" && input.why === "not_yours" && input.asked < this.state.toldAsked) break;
        if (input.is === "refused" && input.why === "ended") this.#isEnded = true;
        this.#erasedAt = input.at;
        this.#mayShow = false;
        this.hasLost = true;
        break;
      case "opened":
        this.#mayShow = false;
        this.hasLost = true;
        break;
      case "link":
        break;
    }
  }

  #check(): void {
    const snapshot = this.snapshot(30_000);
    const trail = points(this.state);
    const { position } = snapshot;
    if (this.#isEnded) assert.equal(snapshot.status, "ended");
    if (position === undefined) assert.ok(!["live", "stale", "silent"].includes(snapshot.status), snapshot.status);
    else {
      assert.ok(this.#mayShow && ["live", "stale", "silent", "offline"].includes(snapshot.status), "shown too early");
      assert.ok(snapshot.ageMs! >= 0);
      const fix = this.#service.fixes.find(({ epoch, seq }) => epoch === position.epoch && seq === position.seq);
      assert.ok(fix && !fix.isLate, "the marker is a live fix");
      assert.deepEqual([position.lat, position.capturedAt], [latitude(fix), fix.capturedAt]);
      assert.ok(fix.ts > this.#gated, "of before a gate");
      assert.ok(position.epoch >= this.#epoch, "an old epoch");
      const last = this.#last;
      assert.ok(!last || position.epoch > last.epoch || (position.epoch === last.epoch && position.seq >= last.seq), "backwards");
      this.#last = position;
    }
    if (trail.length > 0) assert.ok(this.#mayShow && snapshot.epoch! >= this.#epoch && !this.#isEnded);
    for (let n = 1; n < trail.length; n++) {
      const [a, b] = [trail[n - 1]!, trail[n]!];
      assert.ok(a.capturedAt < b.capturedAt || (a.capturedAt === b.capturedAt && a.seq < b.seq), "the trail's order");
    }
    for (const { seq, lat } of trail) assert.equal(lat, latitude({ epoch: snapshot.epoch!, seq }), "a point of another epoch");
  }

  /** What was known before is still what it was. */
  keeps(): void {
    for (const { state, told } of this.#kept) assert.equal(JSON.stringify([show(state, 0), points(state)]), told);
  }

  get hasMissed(): boolean {
    return this.#hasMissed;
  }

  /** All is known that there is. */
  knows(): void {
    const service = this.#service;
    const snapshot = this.snapshot();
    const { marker, trail } = service;
    if (this.#isEnded || service.isClosed || service.isRemoved || service.isWithheld) {
      const hidden = this.#isEnded ? ["ended"] : service.isRemoved ? ["not_yours"] : service.isClosed ? ["ended"] : ["withheld"];
      assert.ok(hidden.includes(snapshot.status), snapshot.status);
      assert.deepEqual(points(this.state), []);
      return;
    }
    assert.equal(snapshot.position?.seq, marker?.seq);
    assert.equal(snapshot.position?.epoch, marker?.epoch);
    const seqs = new Set(trail.map(({ seq }) => seq));
    const drawn = points(this.state).map(({ seq }) => seq);
    assert.deepEqual(this.#hasMissed ? drawn.filter((seq) => seqs.has(seq)) : drawn, [...seqs]);
    const first = service.first() as Exclude<FirstState, string | { withheld: true }>;
    assert.equal(snapshot.epoch ?? null, first.epoch);
    for (const name of ["silentSince", "heartbeat", "fixMissingSince", "lastHeard", "arrivedAt"] as const) assert.equal(snapshot[name], first[name], name);
    if (marker) {
      assert.equal(snapshot.status, first.silentSince === undefined ? "live" : "silent");
      assert.ok(Math.abs(snapshot.ageMs! - (T + service.t - marker.capturedAt)) <= 1, "the age");
    } else assert.ok(["none", "reassigned"].includes(snapshot.status));
  }
}
