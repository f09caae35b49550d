// What a customer is told of a job, in every state that there is.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { initialSnapshot, type JobSnapshot, type PhoneState, type Status } from "@towline/client";
import { type Card, loadCard } from "./support/card.ts";

const CAPTURED = 1_795_900_000_000;
const position = { epoch: 1, seq: 3, lat: 48.20812, lng: 16.37123, capturedAt: CAPTURED, speed: 9, accuracy: 23 };

function job(status: Status, more: Partial<JobSnapshot> = {}): JobSnapshot {
  return { ...initialSnapshot("job-1"), status, ...more };
}

/** Each that is designed, by what it says of itself, and which of them have a position that is shown. */
const STATES: [said: string, badge: string, job: JobSnapshot][] = [
  ["Looking for your vehicle", "Loading", job("waiting")],
  ["The vehicle has no position yet", "No position yet", job("none")],
  ["You will see the vehicle later", "Not visible yet", job("withheld", { gate: "from", opensAt: CAPTURED })],
  ["You will see the vehicle when it is near", "Not visible yet", job("withheld", { gate: "within" })],
  ["The vehicle is moving", "Live", job("live", { position })],
  ["The vehicle has stopped", "Live", job("live", { position: { ...position, speed: 0 } })],
  ["The vehicle is on the map", "Live", job("live", { position: { ...position, speed: undefined } as never })],
  ["The vehicle is parked", "Parked", job("live", { position, heartbeat: "parked" })],
  ["The vehicle has arrived", "Arrived", job("live", { position: { ...position, speed: 0 }, arrivedAt: CAPTURED })],
  ["The last position is out of date", "Out of date", job("stale", { position })],
  ["The driver's phone is not heard of", "Not heard of", job("silent", { position, silentSince: CAPTURED })],
  ["This page has no connection just now", "No connection", job("offline", { position })],
  ["This page has no connection just now", "No connection", job("offline")],
  ["Another driver has taken over", "New driver", job("reassigned")],
  ["The job is done", "Done", job("ended", { reason: "done" })],
  ["The job was cancelled", "Cancelled", job("ended", { reason: "cancelled" })],
  ["The job could not be done", "Not done", job("ended", { reason: "failed" })],
  ["The time for this job is over", "Over", job("ended", { reason: "expired" })],
  ["The job is over", "Over", job("ended", { reason: "something newer" })],
  ["The job is over", "Over", job("ended")],
  ["This job is not shown to you", "No access", job("not_yours")],
];

describe("a customer's card", () => {
  let card: Card;
  before(async () => {
    card = await loadCard();
  });

  for (const [said, badge, state] of STATES) {
    const { status, reason = "", heartbeat = "" } = state;
    test(`says ${JSON.stringify(said)} where the job is ${[status, reason, heartbeat].filter(Boolean).join(", ")}`, () => {
      const html = card.render(state, state.position && 12_000).replaceAll("&#x27;", "'");
      assert.match(html, new RegExp(`<h2>${said}</h2><p>[A-Z][^<]{15,}\\.</p>`));
      const [, live] = /<p role="status"[^>]*>(.*?)<\/p>/.exec(html) ?? [];
      assert.equal(live?.replace(/<span aria-hidden="true">\S<\/span> /, ""), badge);
      assert.equal(html.match(/role="status"/g)?.length, 1, "nothing else is read out when it changes");
      assert.doesNotMatch(html, /undefined|NaN|null|48\.2|16\.3/);
      assert.equal(html.includes("12 s ago"), state.position !== undefined);
    });
  }

  test("speaks of a link to whoever has come by one", () => {
    assert.match(card.render(job("not_yours"), undefined, "link"), /<h2>This link shows no vehicle any more/);
    assert.match(card.render(job("not_yours"), undefined, "another_link"), /Not open here[^]*<h2>Another link is open in this browser/);
  });

  test("says why there is no new position, where the phone has said so", () => {
    const why = (more: Partial<JobSnapshot>) => card.words(job("stale", { position, ...more })).meaning;
    const all = [{}, { fixMissingSince: CAPTURED }, { heartbeat: "no_fix" }, { heartbeat: "no_permission" }, { heartbeat: "off_duty" }] as const;
    assert.equal(new Set(all.map(why)).size, all.length);
  });

  test("says of a silence what the phone has said before it, and none of whoever has gone off duty", () => {
    const silent = (heartbeat?: PhoneState) => card.words(job("silent", { position, silentSince: CAPTURED, heartbeat }));
    assert.match(silent().meaning, /^There may be no network/);
    assert.match(silent("no_fix").meaning, /^The driver's phone does not know where it is/);
    const { short, heading, meaning } = silent("off_duty");
    assert.deepEqual([short, heading], ["Out of date", "The last position is out of date"]);
    assert.match(meaning, /^The driver does not share their position just now\./);
    const listed = { lastFixAt: CAPTURED, silentSince: CAPTURED };
    assert.deepEqual([card.listed(listed), card.listed({ ...listed, heartbeat: "off_duty" })], ["silent", "stale"]);
  });

  test("has a parked vehicle where it was last seen, however old that is", () => {
    const parked = job("stale", { position, heartbeat: "parked" });
    assert.equal(card.words(parked).heading, "The vehicle is parked");
    assert.deepEqual(card.facts(parked, 600_000).slice(0, 2), [["Movement", "Parked"], ["Last position", "10 min ago"]]);
  });

  test("tells speed of a vehicle that is seen now, and of no other", () => {
    const movement = (status: Status) => card.facts(job(status, { position }), 5_000).find(([name]) => name === "Movement")?.[1];
    assert.equal(movement("live"), "Moving, 32 km/h");
    for (const status of ["stale", "silent", "offline"] as const) assert.equal(movement(status), undefined, status);
  });

  test("counts what is past by the service's clock", () => {
    const told = Object.fromEntries(card.facts(job("silent", { position, lastHeard: CAPTURED + 30_000, arrivedAt: CAPTURED - 60_000 }), 120_000));
    assert.deepEqual(told, { Arrived: "3 min ago", "Last position": "2 min ago", Accuracy: "within about 30 m", "Driver's phone heard": "1 min ago" });
  });

  test("does not pretend to know better", () => {
    assert.deepEqual([card.ago(999), card.ago(59_999), card.ago(60_000), card.ago(5_000, true)], ["just now", "59 s ago", "1 min ago", "about 5 s ago"]);
    const ahead = card.facts(job("live", { position: { ...position, clock: "ahead" } }), 5_000);
    assert.ok(ahead.some(([, value]) => value === "about 5 s ago"));
    assert.deepEqual([4, 23, 30, 31, 250, 1_200].map(card.within), ["4 m", "30 m", "30 m", "40 m", "300 m", "2 km"].map((text) => `within about ${text}`));
    assert.deepEqual([12, 643, 3_449, 23_400].map(card.distance), ["less than 50 m", "640 m", "3.4 km", "23 km"]);
  });

  test("measures along a great circle", () => {
    const [vienna, bratislava] = [{ lat: 48.2082, lng: 16.3738 }, { lat: 48.1486, lng: 17.1077 }];
    assert.ok(Math.abs(card.metresBetween(vienna, bratislava) - 54_800) < 200);
    assert.ok(Math.abs(card.metresBetween({ lat: 0, lng: 179.5 }, { lat: 0, lng: -179.5 }) - 111_195) < 10);
  });
});
