// What a driver's phone and a page that shows a job's position do: they post, ask for the first state, and listen.

import assert from "node:assert/strict";
import type { ChannelParams, InboundMessage, Realtime } from "ably";
import { eventually } from "./wait.ts";
import type { World } from "./world.ts";

/** What became of one fix. */
export interface Result {
  seq: number;
  status: string;
  reason?: string;
  field?: string;
  index?: number;
}

export interface Answer {
  ok: boolean;
  jobId: string;
  epoch: number;
  results: Result[];
}

/** A position of the job's sequence, which grows by epoch first. */
export interface Position {
  epoch: number;
  seq: number;
}

/** The data of the two events on a job's channel. */
export interface Event extends Position {
  jobId: string;
  fromSeq: number;
  ts: number;
  headSeq?: number;
  lat?: number;
  lng?: number;
  speed?: number;
  heading?: number;
  accuracy?: number;
  altitude?: number;
  capturedAt?: number;
  backfill?: [seq: number, at: number, lat: number, lng: number][];
}

/** The first state of a page, where the job has a fix. */
export type State = Omit<Event, "backfill"> & { now: number; ageMs?: number; lastHeard?: number };

/** One fix as a message told of it. */
export interface Told extends Position {
  lat: number;
  lng: number;
  /** Effective time, epoch milliseconds. */
  at: number;
  /** Whether it may move the marker. */
  head: boolean;
}

export function channelOf(job: string) {
  return `dispatch:job:${job}`;
}

/** Posts, and expects that the post is taken. */
export async function post(world: World, session: string, job: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${world.url}/api/jobs/${job}/location`, {
    method: "POST",
    headers: { authorization: `Bearer ${session}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const answer = JSON.parse(text);
  assert.equal(answer.ok, true);
  assert.equal(answer.jobId, job);
  return answer;
}

/** Asks for the first state. */
export async function firstState(world: World, session: string, job: string): Promise<State> {
  const response = await fetch(`${world.url}/api/jobs/${job}/location`, { headers: { authorization: `Bearer ${session}` } });
  assert.equal(response.status, 200);
  return (await response.json()) as State;
}

/** The fixes that a message stands for, by seq; that the message is sound is checked on the way. */
export function told(message: InboundMessage): Told[] {
  const event = message.data as Event;
  const { epoch, seq, fromSeq, backfill = [] } = event;
  const tuples = backfill.map(([seq, at, lat, lng]) => ({ epoch, seq, at, lat, lng, head: false }));
  if (message.name === "location.updated") {
    const { lat, lng, ts, capturedAt, headSeq = seq } = event;
    assert.ok(lat !== undefined && lng !== undefined && capturedAt !== undefined, "the head is told in full");
    tuples.push({ epoch, seq: headSeq, at: Math.min(capturedAt, ts), lat, lng, head: true });
  } else {
    assert.equal(message.name, "location.backfilled");
    assert.equal(event.lat, undefined, "a message that moves no marker has no position of its own");
  }
  tuples.sort((a, b) => a.seq - b.seq);
  const seqs = Array.from({ length: seq - fromSeq + 1 }, (_, index) => fromSeq + index);
  assert.deepEqual(tuples.map((fix) => fix.seq), seqs, "a message tells each of its seqs once");
  assert.deepEqual(message.id, `${event.jobId}/${epoch}.${seq}`);
  return tuples;
}

/** A page that listens to a job's channel from now on. */
export class Listener {
  readonly job: string;
  readonly messages: InboundMessage[] = [];
  readonly channel;

  private constructor(client: Realtime, job: string, params: ChannelParams) {
    this.job = job;
    this.channel = client.channels.get(channelOf(job), { params });
  }

  static async on(client: Realtime, job: string, params: ChannelParams = {}): Promise<Listener> {
    const listener = new Listener(client, job, params);
    await listener.channel.subscribe((message) => void listener.messages.push(message));
    return listener;
  }

  /** Those that tell of fixes; events of a job's life come on the same channel. */
  get #located() {
    return this.messages.filter(({ name }) => name?.startsWith("location."));
  }

  /** Every fix told so far, in the order in which it was told. */
  get told(): Told[] {
    return this.#located.flatMap(told);
  }

  /** Waits until a fix of the job with this seq, or a later one, was told. */
  async hears(seq: number, bound?: number): Promise<void> {
    const last = () => (this.#located.at(-1)?.data as Event | undefined)?.seq ?? 0;
    await eventually(`seq ${seq} of the job, after ${last()}`, () => (last() >= seq ? true : undefined), bound);
  }
}

/** That the fixes told are those of one epoch, with the seqs `from` to `to`, each once and in order. */
export function assertGapless(fixes: Told[], { epoch, from = 1, to }: { epoch: number; from?: number; to: number }) {
  const expected = Array.from({ length: to - from + 1 }, (_, index) => `${epoch}.${from + index}`);
  assert.deepEqual(fixes.map((fix) => `${fix.epoch}.${fix.seq}`), expected);
}
