// A driver's page against the service: its network is cut, answers are lost, phones change hands, jobs end.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { createTowline } from "../../clients/typescript/src/client/index.ts";
import { createDriver, type DriverState, indexedDbStorage } from "../../clients/typescript/src/driver/index.ts";
import { onTab, shownPage } from "../../clients/typescript/tests/support/platform.ts";
import { startAbly } from "../e2e/support/ably.ts";
import { firstState } from "../e2e/support/driving.ts";
import { Relay } from "../e2e/support/relay.ts";
import { eventually } from "../e2e/support/wait.ts";
import { startWorkerd } from "../e2e/support/workerd.ts";
import { unique, World } from "../e2e/support/world.ts";

Object.assign(globalThis, { IDBKeyRange });

const world = await World.forThisFile({}, startAbly, startWorkerd);
const service = world.session({ role: "service" });

/** A phone: its disk, its network, and where it is. */
async function phone(t: TestContext) {
  const relay = await Relay.to(Number(new URL(world.url).port));
  t.after(() => relay.stop());
  const disk = new IDBFactory();
  let metres = 0;
  /** A driver's page, opened anew. */
  const open = (sub: string, jobs: string[]) => {
    const { page, fire } = shownPage();
    const session = world.session({ role: "driver", sub, jobs });
    const nothingIsWatched = () => assert.fail("a driver's page opens no stream");
    const towline = createTowline({ url: relay.url, getSession: async () => session, eventSource: nothingIsWatched }, onTab({ page }));
    t.after(() => towline.close());
    const driver = createDriver(towline, { storage: indexedDbStorage("queue", disk), geolocation: null, permissions: null, locks: null, channel: null, persist: null });
    const state = (what: string, holds: (state: DriverState) => boolean) =>
      eventually(`${what}, after ${JSON.stringify(driver.state.get())}`, () => (holds(driver.state.get()) ? driver.state.get() : undefined));
    /** So many fixes, each at a place of its own. */
    const drive = (count: number) => {
      for (let fix = 0; fix < count; fix += 1) {
        metres += 12;
        driver.take({ coords: { latitude: 48 + metres / 111_195, longitude: 16, accuracy: 5, speed: 12, heading: NaN, altitude: null }, timestamp: Date.now() - 60_000 + metres });
      }
    };
    driver.state.subscribe(() => {});
    return { towline, driver, state, drive, online: () => fire("online") };
  };
  return { relay, open };
}

/** All that the service has of a job. */
async function trailOf(job: string): Promise<{ seq: number; lat: number; driver: string; id: string }[]> {
  const answer = await fetch(`${world.url}/api/jobs/${job}/locations`, { headers: { authorization: `Bearer ${service}` } });
  assert.equal(answer.status, 200);
  const page = (await answer.json()) as { locations: { seq: number; lat: number; driver: string; id: string }[]; next: string | null };
  assert.equal(page.next, null);
  return page.locations;
}

/** That a trail has so many fixes of this driver, each once, in the order in which they were driven. */
async function assertDriven(job: string, driver: string, count: number) {
  const trail = await trailOf(job);
  assert.equal(trail.length, count);
  assert.equal(new Set(trail.map(({ id }) => id)).size, count);
  assert.deepEqual(new Set(trail.map(({ driver }) => driver)), new Set([driver]));
  const places = trail.map(({ lat }) => lat);
  assert.deepEqual(places, [...places].sort((a, b) => a - b));
}

async function put(job: string, driver: string) {
  const headers = { authorization: `Bearer ${service}` };
  const answer = await fetch(`${world.url}/api/jobs/${job}`, { method: "PUT", headers, body: JSON.stringify({ driver, customers: [] }) });
  assert.ok(answer.ok, await answer.text());
}

test("offline, lost answers, and a page that is opened anew: everything is there once, in order", async (t) => {
  const [job, sub] = [unique("job"), unique("driver")];
  const { relay, open } = await phone(t);
  const page = open(sub, [job]);
  page.driver.start(job);
  page.drive(3);
  await page.state("the first fixes to leave", ({ waiting, lastSentAt }) => waiting === 0 && lastSentAt !== undefined);
  relay.cut();
  page.drive(230);
  await page.state("them to wait", ({ waiting, sending, durable }) => waiting === 230 && sending === "backoff" && durable);
  relay.loseAnswers();
  const before = relay.broken;
  page.online();
  await eventually("an answer to be lost", () => (relay.broken > before ? true : undefined));
  await eventually("what was posted to be in the trail", async () => ((await trailOf(job)).length > 3 ? true : undefined));
  page.towline.close();
  relay.open();
  const again = open(sub, [job]);
  again.driver.start(job);
  again.drive(2);
  await again.state("all to leave", ({ waiting, lastSentAt }) => waiting === 0 && lastSentAt !== undefined);
  await assertDriven(job, sub, 235);
  const { rejected, sending } = again.driver.state.get();
  assert.deepEqual([rejected, sending], [{}, "idle"]);
});

test("two drivers share a phone, and a job", async (t) => {
  const [job, ann, bob] = [unique("job"), unique("ann"), unique("bob")];
  const { relay, open } = await phone(t);
  const first = open(ann, [job]);
  first.driver.start(job);
  first.drive(1);
  await first.state("the first fix to leave", ({ waiting, lastSentAt }) => waiting === 0 && lastSentAt !== undefined);
  relay.cut();
  first.drive(10);
  await first.state("hers to wait", ({ waiting }) => waiting === 10);
  first.towline.close();
  relay.open();
  const second = open(bob, [job]);
  second.driver.start(job);
  second.drive(5);
  await second.state("his to leave", ({ waiting, lastSentAt }) => waiting === 0 && lastSentAt !== undefined);
  assert.deepEqual((await trailOf(job)).map(({ driver }) => driver), [ann, ...Array(5).fill(bob)]);
  second.towline.close();
  const back = open(ann, [job]);
  await back.state("hers to leave", ({ waiting, lastSentAt }) => waiting === 0 && lastSentAt !== undefined);
  assert.deepEqual((await trailOf(job)).map(({ driver }) => driver), [ann, ...Array(5).fill(bob), ...Array(10).fill(ann)]);
});

test("a driver whose job is another's is told, and one that the session does not list is kept until it does", async (t) => {
  const [job, other, sub] = [unique("job"), unique("job"), unique("driver")];
  const { open } = await phone(t);
  await put(job, sub);
  const page = open(sub, [job]);
  page.driver.start(job);
  // Of now: what was measured before they had the job would be refused.
  page.driver.take({ coords: { latitude: 1, longitude: 1 }, timestamp: Date.now() });
  await page.state("the first fix to leave", ({ waiting, lastSentAt }) => waiting === 0 && lastSentAt !== undefined);
  await put(job, unique("driver"));
  page.driver.take({ coords: { latitude: 2, longitude: 1 }, timestamp: Date.now() });
  const { sharing, rejected } = await page.state("to hear of it", ({ ended }) => ended === "reassigned");
  assert.deepEqual([sharing, rejected], [false, { reassigned: 1 }]);
  assert.equal((await trailOf(job)).length, 1);
  page.driver.start(other);
  page.drive(2);
  await page.state("to be held", ({ sending, heldBy, waiting }) => sending === "held" && heldBy === "not_a_participant" && waiting === 2);
  page.towline.close();
  const signedIn = open(sub, [job, other]);
  await signedIn.state("them to leave", ({ waiting, lastSentAt }) => waiting === 0 && lastSentAt !== undefined);
  await assertDriven(other, sub, 2);
});

test("a phone that does not move says so", async (t) => {
  const [job, sub] = [unique("job"), unique("driver")];
  const { open } = await phone(t);
  await put(job, sub);
  const page = open(sub, [job]);
  page.driver.start(job);
  page.driver.take({ coords: { latitude: 1, longitude: 1, speed: 0 }, timestamp: Date.now() });
  await page.state("the fix to leave", ({ waiting, lastSentAt }) => waiting === 0 && lastSentAt !== undefined);
  page.driver.stop();
  const state = await eventually("the service to hear it", async () => {
    const state = (await firstState(world, service, job)) as { heartbeat?: string };
    return state.heartbeat;
  });
  assert.equal(state, "off_duty");
});
