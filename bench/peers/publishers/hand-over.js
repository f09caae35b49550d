// How a job hands a message over, and hears what became of it.

/** @import { Env, Outcome, Publish } from "../shared/types.js" */
import { NO_ANSWER } from "../shared/publisher.js";
import { PUBLISHERS } from "./batches.js";

/**
 * @param {Env} env
 * @returns {Publish} for one job
 */
export function byPublishers(env) {
  const publishers = Number(env.ABLY_PUBLISHERS ?? PUBLISHERS);
  /** @type {{ publish: (channel: string, message: string) => Promise<Outcome> } | undefined} */
  let publisher;
  return (channel, message, signal) =>
    new Promise((resolve) => {
      // An object that does not answer is given up as an Ably that does not: the same message comes again.
      signal.onabort = () => resolve(NO_ANSWER);
      publisher ??= /** @type {NonNullable<typeof publisher>} */ (
        env.PUBLISHERS.get(env.PUBLISHERS.idFromName(`publisher-${hashOf(channel) % publishers}`))
      );
      publisher.publish(channel, message).then(resolve, () => {
        // After an exception a stub stays broken.
        publisher = undefined;
        resolve(NO_ANSWER);
      });
    });
}

/**
 * FNV-1a, 32 bits: jobs are spread evenly, and each keeps its publisher.
 * @param {string} text
 */
function hashOf(text) {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
