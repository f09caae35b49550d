// A job whose vehicle does what a test says: with speed, accuracy and a place, beyond the straight way of `Journey`.

import assert from "node:assert/strict";
import { post } from "../../e2e/support/driving.ts";
import { unique, type World } from "../../e2e/support/world.ts";

/** What is registered, see docs/jobs.md. */
interface Registered {
  driver: string | null;
  customers: string[];
  place?: { lat: number; lng: number };
  endsAt?: number;
  gate?: object;
}

export class Tow {
  readonly job = unique("tow");
  readonly #world: World;
  #registered: Registered;

  private constructor(world: World, registered: Registered) {
    this.#world = world;
    this.#registered = registered;
  }

  static async begin(world: World, registered: Partial<Registered> = {}): Promise<Tow> {
    const tow = new Tow(world, { driver: "driver-01", customers: ["ann"], ...registered });
    await tow.put({});
    return tow;
  }

  /** Changes what is registered. */
  async put(change: Partial<Registered>) {
    this.#registered = { ...this.#registered, ...change };
    await this.#ask("PUT", "", this.#registered);
  }

  close(reason: string) {
    return this.#ask("POST", "/close", { reason });
  }

  /** The driver's phone posts a fix. */
  async at(lat: number, lng: number, more: { speed?: number; heading?: number; accuracy?: number; capturedAt?: number } = {}) {
    const { results } = await post(this.#world, this.#driver(), this.job, { lat, lng, ...more });
    assert.equal(results[0]?.status, "accepted", JSON.stringify(results[0]));
  }

  /** The driver's phone is heard of, without a position. */
  heartbeat(state: "parked" | "no_permission" | "no_fix" | "off_duty") {
    return this.#ask("POST", "/heartbeat", { state }, this.#driver());
  }

  #driver() {
    return this.#world.session({ role: "driver", sub: this.#registered.driver ?? "" });
  }

  async #ask(method: string, path: string, body: object, session = this.#world.session({ role: "service" })) {
    const answer = await fetch(`${this.#world.url}/api/jobs/${this.job}${path}`, {
      method,
      headers: { authorization: `Bearer ${session}` },
      body: JSON.stringify(body),
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.text()}`);
  }
}
