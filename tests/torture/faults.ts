// The faults of the local Ably, as they are made over its control endpoint, and how often each kind has met a publish.

import { type Fault, WRONG_KEY } from "./schedule.ts";
import type { Ably } from "./world.ts";

/** A fault as the local Ably tells of it. */
interface Report {
  id: string;
  fired: number;
}

export class Faults {
  readonly #ably: Ably;
  /** Of each fault, the name it is counted by and how often it has fired. */
  readonly #made = new Map<string, { kind: string; fired: number }>();

  constructor(ably: Ably) {
    this.#ably = ably;
  }

  /** Makes one. It meets publishes over REST alone: whoever watches loses nothing by it. */
  async make({ kind, body }: Fault): Promise<void> {
    const of = kind === WRONG_KEY ? { key: this.#ably.publishKey } : { transport: "rest", channel: "dispatch:job:*" };
    const { id } = (await this.#ask("POST", { ...of, ...body })) as Report;
    this.#made.set(id, { kind, fired: 0 });
  }

  /** Notes how often each has fired. */
  async count(): Promise<void> {
    const { faults } = (await this.#ask("GET")) as { faults: Report[] };
    for (const { id, fired } of faults) {
      const made = this.#made.get(id);
      if (made !== undefined) made.fired = fired;
    }
  }

  /** Ends all of them, and lets go on what they hold up. */
  async lift(): Promise<void> {
    await this.count();
    await this.#ask("DELETE");
  }

  /** How often each kind has met a publish. */
  get byKind(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { kind, fired } of this.#made.values()) counts[kind] = (counts[kind] ?? 0) + fired;
    return counts;
  }

  /** How many publishes were met, those that a wrong key has met not counted: their number is a matter of how often it is tried. */
  get met(): number {
    return Object.entries(this.byKind).reduce((sum, [kind, count]) => (kind === WRONG_KEY ? sum : sum + count), 0);
  }

  async #ask(method: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.#ably.url}/control/faults`, {
      method,
      headers: { authorization: `Bearer ${this.#ably.controlSecret}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the local Ably makes no such fault: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }
}
