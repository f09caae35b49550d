// A job watched by Ably and by streams, against the service itself: a cut, a removal, a reassignment, a gate, an end. Both ways show the same.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { watchTrail } from "../../clients/typescript/src/index.ts";
import { LocalAbly } from "../e2e/support/ably.ts";
import { post } from "../e2e/support/driving.ts";
import { Relay } from "../e2e/support/relay.ts";
import { eventually } from "../e2e/support/wait.ts";
import { startWorkerd } from "../e2e/support/workerd.ts";
import { unique, World } from "../e2e/support/world.ts";
import { assertForward, jobPage, platform, watched } from "./support/pages.ts";

const world = await World.forThisFile({}, () => LocalAbly.start(), startWorkerd);
const { put, close } = platform(world);

/** A registered job with a customer, and how its driver posts. */
async function registered(more: object = {}) {
  const [job, sub, driver] = [unique("job"), unique("customer"), unique("driver")];
  await put(job, { driver, customers: [sub], ...more });
  const drives = (driver: string) => (...fixes: object[]) => post(world, world.session({ role: "driver", sub: driver, jobs: [job] }), job, { locations: fixes });
  return { job, driver, customer: { role: "customer", sub } as const, drive: drives(driver), drives };
}

for (const mode of ["stream", "ably"] as const) {
  describe(`by ${mode}`, { concurrency: true }, () => {
    test("positions as they come, over a cut, with nothing missing in the trail", async (t) => {
      const [toService, toAbly] = await Promise.all([Relay.to(Number(new URL(world.url).port)), Relay.to((world.ably as LocalAbly).port)]);
      after(() => [toService, toAbly].map((relay) => relay.stop()));
      const { job, customer, drive } = await registered();
      await drive({ lat: 1, lng: 2 });
      const { towline, store, seen, shows, fire } = jobPage(t, world, mode, job, customer, { url: toService.url, address: { port: toAbly.port } });
      const trail = watched(t, watchTrail(towline, job));
      await shows("the first state", ({ position }) => position?.seq === 1);
      await shows("the channel", () => towline.connection.get().state === "connected");
      await drive({ lat: 2, lng: 2 });
      assert.equal((await shows("a fix", ({ position }) => position?.seq === 2)).status, "live");
      toService.cut();
      toAbly.cut();
      await shows("that it is cut off", ({ status }) => status === "offline");
      await drive({ lat: 3, lng: 2 }, { lat: 4, lng: 2 });
      await drive({ lat: 5, lng: 2 });
      toService.open();
      toAbly.open();
      fire("online");
      const live = await shows("what has come meanwhile", ({ position, status }) => position?.seq === 5 && status === "live");
      assert.equal(live.position?.lat, 5);
      const points = await trail.shows("the trail", (points) => points.length === 5);
      assert.deepEqual(points.map(({ seq, lat }) => [seq, lat]), [1, 2, 3, 4, 5].map((seq) => [seq, seq]));
      assertForward(seen);
      await close(job);
      const ended = await shows("the end", ({ status }) => status === "ended", 1_000);
      assert.deepEqual([ended.reason, ended.position, trail.store.get()], ["done", undefined, []]);
      assert.equal(store.get(), ended);
    });

    test("whoever is removed sees nothing within a second, and sees it again once they are back", async (t) => {
      const { job, driver, customer, drive } = await registered();
      await drive({ lat: 1, lng: 2 });
      const { shows, fire, towline } = jobPage(t, world, mode, job, customer);
      await shows("a fix", ({ position }) => position?.seq === 1);
      await eventually("the connection", () => (towline.connection.get().state === "connected" ? true : undefined));
      await drive({ lat: 2, lng: 2 });
      await shows("the next", ({ position }) => position?.seq === 2);
      await put(job, { driver, customers: [] });
      assert.equal((await shows("that it is not theirs", ({ status }) => status === "not_yours", 1_000)).position, undefined);
      await put(job, { driver, customers: [customer.sub] });
      // It would ask by itself after a minute.
      fire("online");
      const { position } = await shows("that it is theirs again", ({ status }) => status !== "not_yours", 10_000);
      assert.equal(position, undefined, "what was before they came is not theirs");
      await drive({ lat: 3, lng: 2 });
      await shows("what comes now", ({ position }) => position?.lat === 3, 10_000);
    });

    test("a driver's successor: the view is emptied within a second, and shows the next one's", async (t) => {
      const { job, customer, drive, drives } = await registered();
      await drive({ lat: 1, lng: 2 });
      const { shows, seen } = jobPage(t, world, mode, job, customer);
      await shows("a fix", ({ position }) => position?.lat === 1);
      const second = unique("driver");
      await put(job, { driver: second, customers: [customer.sub] });
      assert.equal((await shows("that it is another's", ({ status }) => status === "reassigned", 1_000)).position, undefined);
      await drives(second)({ lat: 7, lng: 2 });
      await shows("the next one's fix", ({ position, status }) => position?.lat === 7 && status === "live");
      assertForward(seen);
    });

    test("behind a gate nothing, until it opens; and nothing once there is one", async (t) => {
      const place = { lat: 48, lng: 16 };
      const gate = { customer: { within: 1_000 } };
      const { job, driver, customer, drive } = await registered({ place, gate });
      await drive({ lat: 10, lng: 16, accuracy: 5 });
      const { seen, shows } = jobPage(t, world, mode, job, customer);
      assert.equal((await shows("the gate", ({ status }) => status === "withheld")).gate, "within");
      await drive({ lat: 20, lng: 16, accuracy: 5 });
      await drive({ lat: 48, lng: 16, accuracy: 5 });
      await shows("the opening", ({ status }) => status !== "withheld");
      await drive({ lat: 48.001, lng: 16, accuracy: 5 });
      await shows("the next fix", ({ position }) => position?.lat === 48.001);
      assert.deepEqual([...new Set(seen.flatMap(({ position }) => position?.lat ?? []))], [48.001]);
      await put(job, { driver, customers: [customer.sub], place, gate: { customer: { within: 500 } } });
      assert.equal((await shows("the second gate", ({ status }) => status === "withheld", 1_000)).position, undefined);
    });

    test("a job of others, and one that is none", async (t) => {
      const { job } = await registered();
      const { shows } = jobPage(t, world, mode, job, { role: "customer" });
      await shows("that it is not theirs", ({ status }) => status === "not_yours");
      const ended = await registered();
      await close(ended.job);
      const late = jobPage(t, world, mode, ended.job, ended.customer);
      await late.shows("that it has ended", ({ status }) => status === "ended");
    });
  });
}

test("a stream goes on past the end of a session, under the next one", async (t) => {
  const { job, customer, drive } = await registered();
  const sessions = [4, 3_600].map((seconds) => world.session({ ...customer, jobs: [job], seconds }));
  const expires = Date.now() + 4_000;
  await drive({ lat: 1, lng: 2 });
  const { seen, shows } = jobPage(t, world, "stream", job, customer, { session: () => sessions[Date.now() < expires ? 0 : 1]! });
  await shows("the first state", ({ position }) => position?.seq === 1);
  await eventually("the end of the session", () => (Date.now() > expires + 500 ? true : undefined));
  await drive({ lat: 2, lng: 2 });
  await shows("a fix under the next session", ({ position }) => position?.seq === 2);
  assert.deepEqual(seen.filter(({ status }) => status !== "live" && status !== "waiting"), [], "nobody was cut off");
});
