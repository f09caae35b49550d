// Where a vehicle was at a time, and what two people have changed at once: without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job, NewJob, TrailPoint } from "@towline/client";
import { loadModules } from "./support/modules.ts";

interface Registration extends NewJob {
  version: number;
}

interface Past {
  whereAt(points: TrailPoint[], time: number): { lat: number; lng: number; heading?: number; speed?: number; capturedAt: number } | undefined;
  countUntil(points: TrailPoint[], time: number): number;
  registration(job: Job): Registration;
  changed(seen: Registration, change: Partial<NewJob>): NewJob;
  differences(before: Registration, now: Registration, wanted: Registration): { field: string; isWanted: boolean }[];
  valuesOf(seen: Registration): Record<string, string>;
  changeOf(seen: Registration, values: Record<string, string>): Partial<NewJob>;
}

const { whereAt, countUntil, registration, changed, differences, valuesOf, changeOf } = await loadModules<Past>(`
  export * from "./app/board/[jobId]/where-at";
  export * from "./app/board/[jobId]/values";
  export * from "./towline/registration";
`);

const AT = 1_795_900_000_000;
const point = (seconds: number, lat: number, lng = 16): TrailPoint => ({ seq: 1, capturedAt: AT + seconds * 1_000, lat, lng });

test("between two points a vehicle was on the way, with that speed and heading", () => {
  const points = [point(0, 10), point(10, 10.001), point(20, 10.001, 16.001), point(20, 10.001, 16.001), point(200, 11)];
  const at = (seconds: number) => whereAt(points, AT + seconds * 1_000);
  assert.equal(at(-1), undefined, "before the first nobody knows");
  const north = at(5)!;
  assert.ok(Math.abs(north.lat - 10.0005) < 1e-9 && Math.abs(north.speed! - 11.12) < 0.01 && north.heading === 0);
  const east = at(15)!;
  assert.ok(Math.abs(east.lng - 16.0005) < 1e-9 && Math.abs(east.heading! - 90) < 0.01);
  // Where nothing was known for long, it is where it was last seen, and as old.
  assert.deepEqual(at(60), { lat: 10.001, lng: 16.001, capturedAt: AT + 20_000 });
  assert.deepEqual(at(500), { lat: 11, lng: 16, capturedAt: AT + 200_000 });
  assert.equal(whereAt([], AT), undefined);
  assert.deepEqual(whereAt([point(0, 10)], AT), { lat: 10, lng: 16, capturedAt: AT });
});

test("over the date line it takes the short way", () => {
  const { lng, heading } = whereAt([point(0, 0, 179.9995), point(10, 0, -179.9995)], AT + 2_000)!;
  assert.ok(Math.abs(lng - 179.9997) < 1e-6 && Math.abs(heading! - 90) < 0.01, `${lng} ${heading}`);
});

test("a time finds its place among points, also where several are of one", () => {
  const points = [0, 1, 1, 1, 2, 5].map((seconds) => point(seconds, 10));
  assert.deepEqual([-1, 0, 1, 2, 4, 5, 9].map((seconds) => countUntil(points, AT + seconds * 1_000)), [0, 1, 4, 5, 5, 6, 6]);
});

const JOB = {
  jobId: "job-1",
  state: "open",
  version: 7,
  epoch: 3,
  driver: "driver-01",
  customers: ["ann"],
  place: { lat: 10, lng: 16 },
  startsAt: AT,
  endsAt: AT + 3_600_000 + 4_321,
  dispatchId: "west",
  gate: { customer: { within: 2_000, openedAt: AT } },
  lastHeard: AT,
} as Job;

test("a change has all that is registered, and nothing that is only told", () => {
  const seen = registration(JOB);
  const { driver: _, ...others } = changed(seen, { driver: "driver-02" });
  assert.deepEqual(others, {
    customers: ["ann"],
    place: { lat: 10, lng: 16 },
    startsAt: AT,
    endsAt: AT + 3_604_321,
    dispatchId: "west",
    gate: { customer: { within: 2_000 } },
  });
});

test("a form that nobody has touched changes nothing, not even the seconds that it does not show", () => {
  const seen = registration(JOB);
  const values = valuesOf(seen);
  assert.deepEqual(changeOf(seen, values), {});
  assert.deepEqual(changeOf(seen, { ...values, driver: "" }), { driver: null });
  assert.deepEqual(changeOf(seen, { ...values, lat: "", lng: " " }), { place: null });
  assert.deepEqual(changeOf(seen, { ...values, lat: "10,5" }), { place: { lat: 10.5, lng: 16 } });
  assert.ok(Number.isNaN(changeOf(seen, { ...values, lat: "" }).place?.lat), "half a place is none, and not one at the equator");
});

test("of two changes at once each field is told once, and whose it is", () => {
  const before = registration(JOB);
  const now = { ...before, version: 8, driver: "driver-02", customers: ["ann", "ben"] };
  const wanted = { ...before, driver: "driver-03", endsAt: AT };
  assert.deepEqual(differences(before, now, wanted), [
    { field: "driver", isWanted: true },
    { field: "customers", isWanted: false },
    { field: "endsAt", isWanted: true },
  ]);
});
