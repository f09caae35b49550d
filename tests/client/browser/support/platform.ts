// What the platform's back end and its drivers do, besides pages.

import assert from "node:assert/strict";
import { post } from "../../../e2e/support/driving.ts";
import { unique, type World } from "../../../e2e/support/world.ts";

/** A fix of the trail. */
export interface Kept {
  seq: number;
  lat: number;
  driver?: string;
}

/** A job, and its vehicle. */
export class Journey {
  readonly job = unique("job");
  readonly world: World;
  driver: string;
  customers: string[];
  /** How many fixes were posted: each is further north by a thousandth of a degree, from a place of this job's own. */
  posted = 0;
  readonly #from: number;

  private constructor(world: World, driver: string, customers: string[], from: number) {
    this.world = world;
    this.driver = driver;
    this.customers = customers;
    this.#from = from;
  }

  /** @param from the latitude where it begins, by which a test knows it */
  static async begin(world: World, { from = 10, driver = unique("driver"), customers = [] }: { from?: number; driver?: string; customers?: string[] } = {}): Promise<Journey> {
    const journey = new Journey(world, driver, customers, from);
    await journey.register();
    return journey;
  }

  /** One that nobody has registered: who takes part is whose session lists it, and has for as long as anybody remembers. */
  static byClaim(world: World): Journey {
    return new Journey(world, unique("driver"), [], 10);
  }

  async register(change: { driver?: string; customers?: string[]; gate?: object } = {}) {
    this.driver = change.driver ?? this.driver;
    this.customers = change.customers ?? this.customers;
    const { driver, customers } = this;
    await this.#ask("PUT", "", { driver, customers, ...(change.gate && { gate: change.gate, place: { lat: 0, lng: 0 } }) });
  }

  async close() {
    await this.#ask("POST", "/close", { reason: "done" });
  }

  /** The driver posts so many fixes more, each by itself, and returns the last one's latitude. */
  async drive(count = 1): Promise<number> {
    const session = this.world.session({ role: "driver", sub: this.driver, jobs: [this.job] });
    for (let n = 0; n < count; n += 1) {
      this.posted += 1;
      await post(this.world, session, this.job, { lat: this.at(this.posted), lng: 16 });
    }
    return this.at(this.posted);
  }

  /** The whole trail, as a dispatcher reads it. */
  async trail(): Promise<Kept[]> {
    const headers = { authorization: `Bearer ${this.world.session({ role: "dispatcher" })}` };
    const all: Kept[] = [];
    for (let after: string | null = "0.0"; after !== null; ) {
      const answer: Response = await fetch(`${this.world.url}/api/jobs/${this.job}/locations?after=${after}&limit=1000`, { headers });
      assert.equal(answer.status, 200);
      const { locations, next } = (await answer.json()) as { locations: Kept[]; next: string | null };
      all.push(...locations);
      after = next;
    }
    return all;
  }

  /** The latitude of a fix, from 1. */
  at(n: number): number {
    return Math.round((this.#from + n / 1_000) * 1_000) / 1_000;
  }

  async #ask(method: string, path: string, body: object) {
    const headers = { authorization: `Bearer ${this.world.session({ role: "service" })}` };
    const answer = await fetch(`${this.world.url}/api/jobs/${this.job}${path}`, { method, headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.text()}`);
  }
}
