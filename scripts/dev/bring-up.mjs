// Starts the service and its Ably, waits until they answer, and then writes down what a developer and other programs need.

import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { environment } from "../setup/environment.mjs";
import { Failure, log } from "../setup/steps.mjs";
import { answers } from "./answers.mjs";
import { ABLY_PORT, clone, STATE, writePrivate } from "./clone.mjs";
import { ablyAddress } from "./facts.mjs";
import { forward } from "./forward.mjs";
import { freePort, LOOPBACK } from "./ports.mjs";
import { DEVELOPMENT, wranglerArguments, wranglerEnvironment } from "./service.mjs";
import { sessions } from "./session.mjs";

/** How long a part may take until it answers. */
const READY_MS = 60_000;

/**
 * @typedef {object} Options
 * @property {string} host the address that the service listens at
 * @property {number} port the service's, where it is free
 * @property {number[]} taken ports that are promised to somebody else
 * @property {string | undefined} key of Ably itself
 * @property {string | undefined} localAbly the local Ably's binary, where that is what runs
 * @property {Record<string, string>} settings the service's optional ones
 *
 * @typedef {object} Up
 * @property {import("./facts.mjs").Facts} facts what is written down
 * @property {string[]} reachable the service's URLs in the network, where it listens to that
 * @property {string} [page] the URL of the local Ably's page
 * @property {(which?: (line: string) => boolean) => void} show passes on what the two say from now, or those lines of it
 */

/**
 * @param {import("./parts.mjs").Parts} parts
 * @param {Options} options
 * @returns {Promise<Up>}
 */
export async function bringUp(parts, { host, port: wanted, taken, key, localAbly, settings }) {
  const { jobId, sessionSecret, localAblyKey } = clone();
  const port = await freePort(wanted, host, taken);
  if (port !== wanted) log(`Port ${wanted} is taken: the service is at ${port}.`);
  const ably = localAbly === undefined ? undefined : await startLocalAbly(parts, localAbly, localAblyKey, [...taken, port]);
  const inNetwork = host !== LOOPBACK;
  const wranglerPort = inNetwork ? await freePort(ABLY_PORT + 1, LOOPBACK, [...taken, port]) : port;

  const service = parts.start(
    "The service",
    "wrangler",
    wranglerArguments(wranglerPort),
    wranglerEnvironment({
      ...DEVELOPMENT,
      ...settings,
      ...(ably && { ABLY_REST_URL: ably.url }),
      ABLY_API_KEY: key ?? localAblyKey,
      SESSION_SECRET: sessionSecret,
    }),
  );
  if (inNetwork) await forward({ host, port }, wranglerPort, parts.stopping);
  const url = `http://${host === "0.0.0.0" ? LOOPBACK : host}:${port}`;
  await answers(`${url}/healthz`, "The service", parts.stopping, READY_MS);

  const facts = {
    url,
    ably: { ...ablyAddress(ably?.url ?? settings.ABLY_REST_URL), ...(ably && { key: localAblyKey }) },
    jobId,
    sessions: sessions({ secret: sessionSecret, jobId, now: Date.now(), settings }),
    sessionSecret,
  };
  const devJson = join(STATE, "dev.json");
  parts.removeAtEnd(devJson);
  writePrivate(devJson, JSON.stringify(facts, undefined, 2));
  const show = (/** @type {((line: string) => boolean) | undefined} */ which) => {
    service.show(which);
    ably?.show(which);
  };
  return { facts, reachable: inNetwork ? networkUrls(host, port) : [], ...(ably?.page !== undefined && { page: ably.page }), show };
}

/**
 * Starts the local Ably, and waits until it says where it listens.
 * @param {import("./parts.mjs").Parts} parts
 * @param {string} binary
 * @param {string} key
 * @param {number[]} taken ports that are promised to somebody
 */
async function startLocalAbly(parts, binary, key, taken) {
  const port = await freePort(ABLY_PORT, LOOPBACK, taken);
  if (port !== ABLY_PORT) log(`Port ${ABLY_PORT} is taken: the local Ably is at ${port}.`);
  /** @type {(place: Listening) => void} */
  let heard = () => {};
  const place = /** @type {Promise<Listening>} */ (new Promise((resolve) => (heard = resolve)));
  const env = { ...environment(), LOCAL_ABLY_KEY: key };
  const args = ["--port", String(port), ...revocable(key)];
  const part = parts.start("The local Ably", binary, args, env, (line) => {
    const said = listening(line);
    if (said !== undefined) heard(said);
  });
  const late = delay(READY_MS, undefined, { signal: parts.stopping, ref: false }).then(() => {
    throw new Failure(`The local Ably did not say within ${READY_MS / 1000} s that it listens.`);
  });
  return { ...part, ...(await Promise.race([place, late])) };
}

/**
 * By these arguments tokens of the key can be revoked, as an account's key has to be set up for the service.
 * @param {string} key
 */
export function revocable(key) {
  return ["--revocable", key.split(":", 1)[0] ?? ""];
}

/** @typedef {{ url: string, page?: string }} Listening `page` is the URL of its page, with the secret after the `#` */

/**
 * What stands in the line by which the local Ably says that it listens.
 * @param {string} line
 * @returns {Listening | undefined}
 */
export function listening(line) {
  try {
    const { event, url, page } = JSON.parse(line);
    if (event !== "listening" || typeof url !== "string") return undefined;
    return typeof page === "string" ? { url, page } : { url };
  } catch {
    return undefined;
  }
}

/**
 * The URLs by which others in the network reach the service.
 * @param {string} host
 * @param {number} port
 */
function networkUrls(host, port) {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = addresses.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address);
  return (host === "0.0.0.0" ? outside : [host]).map((address) => `http://${address}:${port}`);
}
