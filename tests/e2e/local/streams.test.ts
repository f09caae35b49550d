// Streams that are cut at random, read by two of the EventSources that there are: each event once, whatever the network does.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { EventSource as OfNpm } from "eventsource";
import { Agent, EventSource as OfUndici } from "undici";
import { startAbly } from "../support/ably.ts";
import { post } from "../support/driving.ts";
import { Relay } from "../support/relay.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd } from "../support/workerd.ts";
import { unique, World } from "../support/world.ts";

/** With these a job's stream is cut so often for each kind of reader. */
const [READERS, CUTS_EACH] = [20, 10];
/** What a reader sees of a job that nobody assigns. */
const NAMES = ["location.updated", "location.backfilled"];

const world = await World.forThisFile({}, startAbly, startWorkerd);

/** What both kinds of source have in common. */
interface Source {
  addEventListener(name: string, listener: (event: { data: string; lastEventId: string }) => void): void;
  close(): void;
}

type Open = (url: string, authorization: string) => Source;

const KINDS: Record<string, Open> = {
  "undici's EventSource": (url, authorization) => {
    const dispatcher = new Agent().compose((dispatch) => (options, handler) => {
      return dispatch({ ...options, headers: { ...(options.headers as Record<string, string>), authorization } }, handler);
    });
    return new OfUndici(url, { node: { dispatcher } } as object) as unknown as Source;
  },
  "the npm package eventsource": (url, authorization) => {
    const withSession: typeof fetch = (input, init) => fetch(input, { ...init, headers: { ...init?.headers, authorization } });
    return new OfNpm(url, { fetch: withSession }) as unknown as Source;
  },
};

/** One who reads a job's stream by way of a network of their own. */
class Reader {
  readonly relay: Relay;
  readonly seen: { id: string; epoch: number; fromSeq: number; seq: number }[] = [];
  /** The seq of the first state of all. */
  began: number | undefined;
  cuts = 0;
  /** How many streams it has had. */
  streams = 0;
  readonly #source: Source;

  private constructor(relay: Relay, job: string, open: Open) {
    this.relay = relay;
    const authorization = `Bearer ${world.session({ role: "customer", jobs: [job] })}`;
    this.#source = open(`${relay.url}/api/jobs/${job}/stream`, authorization);
    this.#source.addEventListener("state", ({ data }) => {
      this.streams += 1;
      this.began ??= JSON.parse(data).seq;
    });
    for (const name of NAMES) {
      this.#source.addEventListener(name, ({ data, lastEventId }) => this.seen.push({ id: lastEventId, ...JSON.parse(data) }));
    }
    for (const name of ["resync", "end"]) {
      this.#source.addEventListener(name, ({ data }) => assert.fail(`${name}: ${data}`));
    }
  }

  static async of(job: string, open: Open): Promise<Reader> {
    return new Reader(await Relay.to(Number(new URL(world.url).port)), job, open);
  }

  /** Cuts it again and again, each time some moment after it has gone on. */
  async isCut(times: number): Promise<void> {
    while (this.cuts < times) {
      const streams = this.streams;
      this.relay.cut();
      this.relay.open();
      this.cuts += 1;
      await eventually("the stream to go on", () => this.streams > streams || undefined);
      await delay(Math.random() * 150);
    }
  }

  close() {
    this.#source.close();
    this.relay.stop();
  }
}

for (const [kind, open] of Object.entries(KINDS)) {
  test(`${READERS * CUTS_EACH} cuts under load, and ${kind} has every event once`, async () => {
    const job = unique("job");
    const driver = world.session({ role: "driver", jobs: [job] });
    await post(world, driver, job, { lat: 48, lng: 16 });
    const readers = await Promise.all(Array.from({ length: READERS }, () => Reader.of(job, open)));
    after(() => readers.forEach((reader) => reader.close()));
    await eventually("all to read", () => readers.every(({ streams }) => streams > 0) || undefined);
    let hasEnded = false;
    let last = 1;
    const drive = async () => {
      for (let count = 0; !hasEnded; count += 1) {
        const now = Date.now();
        // One by one, several at once, and late ones.
        const fixes = count % 7 === 3 ? [0, 1, 2].map((late) => ({ lat: 47, lng: late, capturedAt: now - 40_000 + late })) : [{ lat: 48, lng: 16, capturedAt: now }];
        const { results } = await post(world, driver, job, { locations: fixes });
        last = Math.max(last, ...results.map(({ seq }) => seq));
        await delay(20);
      }
    };
    const drives = drive();
    await Promise.all(readers.map((reader) => reader.isCut(CUTS_EACH)));
    hasEnded = true;
    await drives;
    for (const reader of readers) {
      await eventually("the last event", () => reader.seen.at(-1)?.seq === last || undefined);
      const { seen, began = 0, streams } = reader;
      assert.ok(streams > CUTS_EACH, "each cut was one");
      let seq = began;
      for (const event of seen) {
        assert.equal(event.fromSeq, seq + 1, `after ${seq}`);
        assert.equal(event.id, `${event.epoch}.${event.seq}`);
        seq = event.seq;
      }
      assert.equal(seq, last);
    }
  });
}
