// The simulated drivers at the real service: their jobs, what becomes of what they post, and what somebody at the board does with them.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, test } from "node:test";
import { cast } from "../../scripts/demo/cast.mjs";
import { drive } from "../../scripts/demo/fleet.mjs";
import { closeEarlier, PREFIX, register } from "../../scripts/demo/jobs.mjs";
import { ablyAddress } from "../../scripts/dev/facts.mjs";
import { sign } from "../../scripts/dev/session.mjs";
import { schedule } from "../../scripts/drive/schedule.mjs";
import { call } from "../../scripts/drive/service.mjs";
import { readTrack } from "../../scripts/drive/track.mjs";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { LocalAbly } from "../e2e/support/ably.ts";
import { Clients } from "../e2e/support/clients.ts";
import { eventually, within } from "../e2e/support/wait.ts";
import { World } from "../e2e/support/world.ts";

/** The service's own, so that what is signed here counts there. */
const SECRET = randomBytes(32).toString("base64url");

const world = await World.forThisFile({ SESSION_SECRET: SECRET, JOB_REGISTRY: "required" }, () => LocalAbly.start());
const session = (sub: string, role: string) => sign({ sub, role, exp: Math.floor(Date.now() / 1000) + 600 }, SECRET);
const dispatcher = session("dora", "dispatcher");
const company = cast(schedule(readTrack(join(ROOT, "tests", "data", "car-drive.gpx"))), `${PREFIX}now`);
const stop = new AbortController();
after(() => stop.abort());
const board = { url: world.url, session: dispatcher, stopping: stop.signal };

const job = async (jobId: string) => (await call(world.url, dispatcher, `/api/jobs/${jobId}`)).body;
const state = async (jobId: string) => (await call(world.url, dispatcher, `/api/jobs/${jobId}/location`)).body;
const openJobs = async () => ((await call(world.url, dispatcher, "/api/jobs?state=open&limit=100")).body.jobs as { jobId: string }[]).map(({ jobId }) => jobId);
const named = (index: number) => company.jobs.at(index)?.jobId ?? assert.fail();
const reassign = (jobId: string, driver: string) => call(world.url, dispatcher, `/api/jobs/${jobId}`, { method: "PUT", body: { driver, customers: [] } });

test("an earlier run's jobs are closed, also past the first page of the list, and nobody else's", async () => {
  const earlier = Array.from({ length: 25 }, (_, index) => ({ jobId: `${PREFIX}earlier-${index}`, driver: null, customers: [], place: { lat: 0, lng: 0 } }));
  const own = { jobId: "of-somebody", driver: null, customers: [], place: { lat: 0, lng: 0 } };
  await register(board, [...earlier, own]);
  await closeEarlier(board);
  await eventually("one job to be left", async () => ((await openJobs()).join() === "of-somebody" ? true : undefined));
});

test("each driver is on duty and posts to its job, with what is wrong with its phone; one job waits", { timeout: 240_000 }, async (t) => {
  await register(board, company.jobs);
  const { endpoint, port, tls } = ablyAddress(world.ably.settings.ABLY_REST_URL);
  const at = { url: world.url, ably: { endpoint, port, tls }, session: (id: string) => session(id, "driver"), stopping: stop.signal };
  const driving = company.drivers.map((driver) => drive(at, driver));

  const client = await new Clients(world, "JSON", t).connected(dispatcher);
  const duty = await eventually("all to be on duty", async () => {
    const present = await client.channels.get("presence:dispatch").presence.get();
    return present.length === company.drivers.length ? present : undefined;
  });
  assert.deepEqual(duty.map(({ clientId }) => clientId).sort(), company.drivers.map(({ id }) => id));
  for (const { clientId, data } of duty) {
    assert.deepEqual(data, { role: "driver", duty: company.jobs.find(({ driver }) => driver === clientId)?.jobId });
  }

  for (const { jobId, driver } of company.jobs) {
    if (driver !== null) await eventually(`a fix of ${jobId}`, async () => ((await state(jobId)).seq as number) > 0 || undefined);
  }
  assert.equal((await state(named(-1))).seq, 0);
  assert.equal((await state(named(3))).clock, "ahead");
  assert.equal((await state(named(4))).clock, "repaired");
  assert.equal((await state(named(7))).heartbeat, "parked");
  const figures = async (index: number) => Object.values((await job(named(index))).figures as Record<string, { duplicate: number; rejected: object }>)[0];
  assert.ok(((await figures(9))?.duplicate ?? 0) > 0);
  for (let index = 0; index < company.drivers.length; index += 1) assert.deepEqual((await figures(index))?.rejected, {});

  // The board gives the job that waits to a driver, and takes another one away from its own.
  for (const [index, driver] of [[-1, "driver-02"], [0, "driver-03"]] as const) {
    assert.equal((await reassign(named(index), driver)).status, 200);
    await eventually(`${driver} to drive job ${index}`, async () => {
      const { body } = await call(world.url, dispatcher, `/api/jobs/${named(index)}`);
      return Object.hasOwn((body.figures ?? {}) as object, driver) || undefined;
    });
  }
  // Whoever has lost it goes on with nothing.
  stop.abort();
  await within("all to stop", Promise.all(driving));
});
