// A subscriber that writes down what it hears, with the real `ably` client, and Ably's own record beside it.

import { setTimeout as delay } from "node:timers/promises";
import { type RealtimeChannel, Realtime } from "ably";
import { ablyAddress } from "../../scripts/dev/facts.mjs";
import type { Message } from "./judge.ts";
import type { Ably } from "./world.ts";

const PAGE = 1_000;
const LOOK_MS = 50;

export class Witness {
  readonly heard = new Map<string, Message[]>();
  /** What operators heard. */
  readonly operators: Message[] = [];
  /** What would have made it miss something: then it is no witness. */
  readonly lapses: string[] = [];
  readonly #places = new Map<string, Set<string>>();
  readonly #client: Realtime;
  readonly #channels = new Map<string, RealtimeChannel>();
  #lastHeard = performance.now();

  private constructor(ably: Ably) {
    this.#client = new Realtime({ key: ably.key, ...ablyAddress(ably.url), logLevel: 0 });
  }

  static async start(ably: Ably, jobs: readonly string[]): Promise<Witness> {
    const witness = new Witness(ably);
    for (const job of jobs) await witness.#listen(job);
    await witness.#client.channels.get("admin:ops").subscribe((message) => witness.operators.push(asMessage(message)));
    return witness;
  }

  async #listen(job: string) {
    const [messages, places] = [[] as Message[], new Set<string>()];
    this.heard.set(job, messages);
    this.#places.set(job, places);
    const channel = this.#client.channels.get(`dispatch:job:${job}`);
    this.#channels.set(job, channel);
    await channel.subscribe((message) => {
      messages.push(asMessage(message));
      this.#lastHeard = performance.now();
      const { epoch, fromSeq, seq } = message.data;
      for (let own = fromSeq; own <= seq; own += 1) places.add(`${epoch}.${own}`);
    });
    channel.on(({ current, resumed }) => {
      if (current !== "attached" || !resumed) this.lapses.push(`${job}: the channel is ${current}, and ${resumed ? "" : "not "}resumed`);
    });
  }

  /** Whether it has heard all of these. */
  hasHeard(job: string, places: Iterable<string>): boolean {
    const own = this.#places.get(job);
    return [...places].every((place) => own?.has(place));
  }

  /**
   * Waits until a condition holds; says whether it does.
   * @param still it is given up when nothing was heard for so many ms
   * @param bound and after so many ms in any case
   */
  async until(condition: () => boolean, { still, bound }: { still: number; bound: number }): Promise<boolean> {
    const since = performance.now();
    while (!condition()) {
      const now = performance.now();
      if (now - since > bound || now - Math.max(since, this.#lastHeard) > still) return false;
      await delay(LOOK_MS);
    }
    return true;
  }

  /** What Ably keeps of a job's channel, oldest first. */
  async history(job: string): Promise<Message[]> {
    const all: Message[] = [];
    let page = await this.#channels.get(job)?.history({ direction: "forwards", limit: PAGE });
    for (; page; page = page.hasNext() ? ((await page.next()) ?? undefined) : undefined) all.push(...page.items.map(asMessage));
    return all;
  }

  close() {
    this.#client.close();
  }
}

function asMessage({ id, name, timestamp, data }: { id?: string; name?: string; timestamp?: number; data?: unknown }): Message {
  return { ...(id !== undefined && { id }), ...(name !== undefined && { name }), timestamp: timestamp ?? 0, data };
}
