// What drivers were told is kept as it was told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger } from "./ledger.ts";

test("no two fixes have one position, and each keeps every place that it was told", () => {
  const ledger = new Ledger();
  const fixes = Array.from({ length: 2_500 }, () => ledger.fix("a", true));
  assert.equal(new Set(fixes.map(({ lat, lng }) => `${lat},${lng}`)).size, fixes.length);
  const results = [{ status: "accepted", seq: 2 }, { status: "late", seq: 1 }];
  ledger.told("a", fixes.slice(0, 2), { epoch: 9, results });
  ledger.told("a", fixes.slice(0, 2), { epoch: 9, results: [{ status: "duplicate", seq: 2 }, { status: "duplicate", seq: 3 }] });
  assert.deepEqual(fixes.slice(0, 3).map(({ told }) => told), [["9.2"], ["9.1", "9.3"], []]);
  assert.deepEqual([...ledger.placesOf("a")], ["9.2", "9.1", "9.3"]);
  assert.deepEqual(ledger.statuses, { accepted: 1, late: 1, duplicate: 2 });
  assert.deepEqual(ledger.oddities, []);
});

test("an answer that no driver should get is noted", () => {
  const ledger = new Ledger();
  const fix = ledger.fix("a", true);
  const tell = (fixes: (typeof fix | undefined)[], epoch: number | null, ...results: { status: string; seq?: number; reason?: string }[]) => {
    ledger.oddities.length = 0;
    ledger.told("a", fixes, { epoch, results });
    return ledger.oddities.length;
  };
  assert.equal(tell([fix], 9, { status: "rejected", reason: "too_old" }), 1);
  assert.equal(tell([fix], 9, { status: "accepted" }), 1);
  assert.equal(tell([fix], null, { status: "accepted", seq: 1 }), 1);
  assert.equal(tell([fix], 9), 1);
  assert.equal(tell([undefined], 9, { status: "accepted", seq: 1 }), 1);
  assert.equal(tell([undefined], 9, { status: "rejected", reason: "out_of_range" }), 0);
  assert.deepEqual(fix.told, []);
});
