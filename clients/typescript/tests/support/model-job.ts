// A job as the service has it, with its channel, its streams and its reads, each of which may be cut.

import assert from "node:assert/strict";
import type { Answer, Ask } from "../../src/client/types.ts";
import { FakeCore, type FakeSource, refused } from "./fake-core.ts";

export class ModelJob {
  readonly core = new FakeCore();
  epoch = 100;
  seq = 0;
  version = 1;
  isMember = true;
  isGated = false;
  isClosed = false;
  /** When the vehicle has arrived in this epoch; and whether the place is still the one at which it has. */
  #arrivedAt: number | undefined;
  #isHere = false;
  /** Whether the browser reaches Ably, and the service. */
  ably = true;
  http = true;
  #fixes: { epoch: number; seq: number; lat: number; lng: number; ts: number; capturedAt: number }[] = [];
  #streams = new Map<FakeSource, { isOpen: boolean }>();
  #attached = false;

  constructor(mode: "ably" | "stream" | "poll") {
    const { core } = this;
    // Nobody hashes, so all that follows from something has happened after a few turns.
    core.name = undefined;
    core.answer = (ask) => this.#answer(ask);
    const { stream } = core;
    core.stream =
      mode === "poll"
        ? undefined
        : (path) => {
            const source = stream!(path) as FakeSource;
            this.#streams.set(source, { isOpen: false });
            setImmediate(() => this.#connect(source));
            return source;
          };
    if (mode === "stream") core.channels = undefined;
    else {
      const { listen, enter } = core.channels!;
      core.channels = {
        enter,
        listen: (...all) => {
          const leave = listen(...all);
          setImmediate(() => this.channel());
          return () => {
            leave();
            this.#attached = false;
          };
        },
      };
    }
  }

  #now = () => this.core.clock.wall();
  #mayRead = () => this.isMember && !this.isClosed;
  #mayListen = () => this.#mayRead() && !this.isGated;

  #state() {
    if (this.isGated) return { jobId: "job-1", withheld: true, gate: "from", now: this.#now() };
    const last = this.#fixes.at(-1);
    const vitals = { now: this.#now(), ...(this.hasArrived ? { arrivedAt: this.#arrivedAt } : {}) };
    if (last?.epoch !== this.epoch) return { jobId: "job-1", epoch: this.epoch, seq: 0, ...vitals };
    return { jobId: "job-1", fromSeq: last.seq, ...last, ...vitals, ageMs: this.#now() - last.capturedAt };
  }

  #answer({ path }: Ask): Answer<unknown> {
    if (!this.http) return { is: "again", status: undefined, type: undefined, reason: undefined, afterMs: undefined };
    if (this.isClosed) return refused("job_closed");
    if (!this.isMember) return refused("not_a_participant");
    if (path.endsWith("/location")) return { is: "ok", status: 200, body: this.#state(), etag: undefined };
    const [epoch, seq] = /after=(\d+)\.(\d+)/.exec(path)!.slice(1).map(Number);
    assert.equal(this.isGated, false, "no trail is asked for behind a gate");
    const locations = this.#fixes.filter((fix) => fix.epoch > epoch! || (fix.epoch === epoch && fix.seq > seq!));
    return { is: "ok", status: 200, body: { jobId: "job-1", epoch: this.epoch, published: null, setAside: [], locations, next: null }, etag: undefined };
  }

  /** What the channel is now, told where that is something else. */
  channel() {
    const listeners = [...(this.core.listened.get("dispatch:job:job-1") ?? [])];
    const may = this.ably && this.#mayListen();
    for (const listener of listeners) {
      if (may && !this.#attached) listener.attached?.(false, this.core.clock.now());
      if (!may && this.#attached) listener.detached?.(this.core.clock.now());
      if (!may && this.ably) listener.refused?.(this.core.clock.now());
    }
    this.#attached = may && listeners.length > 0;
  }

  #connect(source: FakeSource) {
    const stream = this.#streams.get(source)!;
    if (source.readyState === 2 || stream.isOpen) return;
    if (!this.http) return source.breaks();
    if (!this.#mayRead()) return source.fails();
    source.readyState = 1;
    stream.isOpen = true;
    source.tell("state", this.#state(), this.isGated ? "" : `${this.epoch}.${this.seq}`);
  }

  #open = () => [...this.#streams].filter(([source, { isOpen }]) => isOpen && source.readyState !== 2);

  #tell(name: string, data: object) {
    if (this.#attached) for (const listener of this.core.listened.get("dispatch:job:job-1") ?? []) listener.message?.(name, data, this.core.clock.now());
    if (!this.isGated) for (const [source] of this.#open()) source.tell(name, data, `${this.epoch}.${this.seq}`);
  }

  #end(reason: string) {
    for (const [source, stream] of this.#open()) {
      stream.isOpen = false;
      source.tell("end", { reason });
    }
  }

  #event = (name: string, more: object = {}) =>
    this.#tell(name, { jobId: "job-1", epoch: this.epoch, afterSeq: this.seq, version: ++this.version, ts: this.#now(), ...more });
  #registered = () => this.#event("job.updated", { id: `v${this.version}`, type: "registration" });

  fix() {
    if (this.isClosed) return;
    const fix = { epoch: this.epoch, seq: ++this.seq, lat: this.epoch, lng: this.seq, ts: this.#now(), capturedAt: this.#now() };
    this.#fixes.push(fix);
    this.#tell("location.updated", { jobId: "job-1", fromSeq: fix.seq, ...fix });
  }
  reassign() {
    if (this.isClosed) return;
    this.epoch += 1;
    this.seq = 0;
    this.#arrivedAt = undefined;
    this.#event("job.reassigned");
    this.#registered();
  }
  arrive() {
    if (this.isClosed || this.#arrivedAt !== undefined) return;
    this.#arrivedAt = this.#now();
    this.#isHere = true;
    this.#event("driver.arrived");
  }
  /** The place is another. */
  move() {
    if (this.isClosed) return;
    this.#isHere = false;
    this.#registered();
  }
  remove() {
    if (!this.isMember || this.isClosed) return;
    // What is told is so by then.
    this.isMember = false;
    this.#registered();
    this.#end("removed");
    this.channel();
  }
  add() {
    this.isMember = true;
    this.channel();
  }
  gate() {
    if (this.isClosed || this.isGated) return;
    this.isGated = true;
    this.#registered();
    for (const [source] of this.#open()) source.tell("state", this.#state());
    this.channel();
  }
  openGate() {
    if (!this.isGated) return;
    this.isGated = false;
    for (const [source] of this.#open()) {
      source.tell("gate.opened", { jobId: "job-1", ts: this.#now() });
      source.tell("state", this.#state(), `${this.epoch}.${this.seq}`);
    }
    this.channel();
  }
  close() {
    if (this.isClosed) return;
    this.#event("job.closed", { reason: "done" });
    this.isClosed = true;
    this.#end("closed");
    this.channel();
  }
  cutAbly() {
    this.ably = false;
    this.channel();
  }
  cutHttp() {
    this.http = false;
    for (const [source, stream] of this.#open()) {
      stream.isOpen = false;
      source.breaks();
    }
  }
  /** Everything is reached again, and every `EventSource` comes again. */
  mend() {
    this.ably = this.http = true;
    this.channel();
    this.reconnect();
  }
  reconnect() {
    for (const [source] of this.#streams) this.#connect(source);
  }

  get hasArrived(): boolean {
    return this.#arrivedAt !== undefined && this.#isHere;
  }

  /** What a page has to show in the end. */
  truth() {
    if (this.isClosed) return ["ended", undefined];
    if (!this.isMember) return ["not_yours", undefined];
    if (this.isGated) return ["withheld", undefined];
    const last = this.#fixes.at(-1);
    return last?.epoch === this.epoch ? ["seen", `${this.epoch}.${this.seq}`] : ["seen", undefined];
  }
}
