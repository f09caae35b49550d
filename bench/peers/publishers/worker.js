// Peer (d): peer (a), whose jobs hand their messages to objects that publish for many of them.

/** @import { Env } from "../shared/types.js" */
import { DurableObject } from "cloudflare:workers";
import { Job as TunedJob } from "../tuned/worker.js";
import { Batches } from "./batches.js";
import { byPublishers } from "./hand-over.js";

export { default } from "../tuned/worker.js";

export class Job extends TunedJob {
  /**
   * @param {import("cloudflare:workers").State} state
   * @param {Env} env
   */
  constructor(state, env) {
    super(state, env, byPublishers(env));
  }
}

/** @extends {DurableObject<Env>} */
export class Publisher extends DurableObject {
  #batches;

  /**
   * @param {import("cloudflare:workers").State} state
   * @param {Env} env
   */
  constructor(state, env) {
    super(state, env);
    this.#batches = new Batches(env);
  }

  /**
   * @param {string} channel
   * @param {string} message
   */
  publish(channel, message) {
    return this.#batches.publish(channel, message);
  }
}
