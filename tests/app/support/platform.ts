// What a platform's back end does for jobs of any shape, and its drivers do by their ids.

import assert from "node:assert/strict";
import { post } from "../../e2e/support/driving.ts";
import type { World } from "../../e2e/support/world.ts";

export class Platform {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Asks the service, which must not refuse. */
  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { authorization: `Bearer ${this.#world.session({ role: "service" })}` };
    const answer = await fetch(this.#world.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    assert.ok(answer.ok, `${method} ${path} is answered ${answer.status}`);
    return (await answer.json()) as T;
  }

  /** @param more what else a `PUT` takes */
  register(jobId: string, driver: string | null, more: object = {}) {
    return this.ask("PUT", `/api/jobs/${jobId}`, { driver, customers: [], ...more });
  }

  /** A driver's vehicle is there now. */
  fix(jobId: string, driver: string, lat = 48.2) {
    return post(this.#world, this.#world.session({ role: "driver", sub: driver }), jobId, { lat, lng: 16.37, capturedAt: Date.now() });
  }
}
