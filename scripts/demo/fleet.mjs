// The simulated drivers at work: each finds its jobs as a driver's app does, is on duty, and posts what its phone has to say.

import { setTimeout as delay } from "node:timers/promises";
import { Realtime } from "ably";
import { call, lasting } from "../drive/service.mjs";
import { body, doings } from "./phone.mjs";

/** How often a driver asks for its jobs: one that is given to it at the board is driven as soon. */
const ASKS_MS = 5_000;
const CHANNEL = "presence:dispatch";

/**
 * @typedef {object} Company
 * @property {string} url of the service
 * @property {import("../dev/facts.mjs").Facts["ably"]} ably
 * @property {(driver: string) => string} session a new one
 * @property {AbortSignal} stopping
 */

/**
 * Drives until it is told to stop, or the phone does nothing more.
 * @param {Company} company
 * @param {import("./cast.mjs").Driver} driver
 */
export async function drive(company, { id, phone }) {
  const { url, session, stopping } = company;
  const duty = onDuty(company, id);
  const start = Date.now();
  /** @type {string[]} */
  let jobs = [];
  let asked = -Infinity;
  try {
    for (const { at, ...doing } of doings(phone)) {
      await delay(Math.max(0, start + at * 1000 - Date.now()), undefined, { signal: stopping });
      if (Date.now() - asked >= ASKS_MS) {
        jobs = (await mine(url, session(id))) ?? jobs;
        asked = Date.now();
        duty.tell(jobs[0] ?? "free");
      }
      const path = "fixes" in doing ? "location" : "heartbeat";
      const send = (/** @type {string} */ job) => {
        const content = "fixes" in doing ? body(phone, doing.fixes, start, Date.now()) : { state: doing.heartbeat };
        return call(url, session(id), `/api/jobs/${job}/${path}`, { body: content });
      };
      // What is refused for good is dropped: the job was closed, or given to another.
      await Promise.all(jobs.map((job) => lasting(() => send(job), stopping)));
    }
  } catch (error) {
    if (!stopping.aborted) throw error;
  } finally {
    duty.end();
  }
}

/**
 * The jobs of a driver; nothing where that is not known just now.
 * @param {string} url
 * @param {string} session
 */
async function mine(url, session) {
  const { status, body } = await call(url, session, "/api/jobs?mine");
  return status === 200 ? /** @type {{ jobs: { jobId: string }[] }} */ (/** @type {unknown} */ (body)).jobs.map(({ jobId }) => jobId) : undefined;
}

/**
 * Is seen by dispatchers as somebody who is on duty, from the first that it tells until it ends.
 * @param {Company} company
 * @param {string} id
 */
function onDuty({ url, ably: { key: _, ...where }, session }, id) {
  const client = new Realtime({
    ...(where.endpoint === "main" ? {} : where),
    authCallback: (_, told) => {
      fetch(`${url}/api/ably-token`, { headers: { authorization: `Bearer ${session(id)}` } })
        .then(async (answer) => told(answer.ok ? null : `the token route answers ${answer.status}`, await answer.text()))
        .catch(() => told("the token route does not answer", null));
    },
    // It tries again by itself, and nobody reads why.
    logLevel: 0,
  });
  const { presence } = client.channels.get(CHANNEL);
  let present = "";
  return {
    /** What it does: the job that it drives, or `free`, as the app's own drivers say it. */
    tell(/** @type {string} */ duty) {
      if (duty === present) return;
      present = duty;
      // Where it fails it is because it is closed, at the end.
      presence.enter({ role: "driver", duty }).catch(() => {});
    },
    end: () => client.close(),
  };
}
