// What a driver's page says of the phone, without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadModules } from "./support/modules.ts";

interface Words {
  headline(state: object | undefined, reception: object, now: number): [before: string, after?: string];
}

const { headline } = await loadModules<Words>(`export { headline } from "./app/drive/words";`);

const NOW = 1_795_900_000_000;
const known = { at: NOW - 1_000 };
const ago = (seconds: number) => NOW - seconds * 1_000;
const said = (state: object, reception: object = known) => headline({ permission: "granted", ...state }, reception, NOW).join("X");

test("a driver is said to share where what the phone knows is taken, and to record where it waits", () => {
  assert.equal(said({}), "Sharing your position for");
  assert.equal(said({ oldestAt: ago(3), lastSentAt: ago(40) }), "Sharing your position for", "one has just come");
  // As where one job's wait for its driver to be known, and another's are taken.
  assert.equal(said({ oldestAt: ago(600), lastSentAt: ago(5) }), "Sharing your position for");
  assert.equal(said({ oldestAt: ago(20), lastSentAt: ago(40) }), "Recording your position forX. It is not sent yet.");
  assert.equal(said({ oldestAt: ago(20) }), "Recording your position forX. It is not sent yet.");
});

test("where there is no position, it is looked for, and not shared", () => {
  for (const reception of [{}, { at: ago(31) }]) assert.equal(said({ oldestAt: ago(20) }, reception), "Looking for your position, to share it for");
  for (const [state, reception] of [[{}, { missing: "insecure" }], [{ permission: "denied" }, known]] as const) assert.match(said(state, reception), /is not shared/);
});
