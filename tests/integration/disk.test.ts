// The workerd of these tests writes down nothing of what goes through it, no more than that of `npm start` does.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { grep } from "../scripts/support/disk.ts";
import { Service, bearer, driverOf, newJob, session } from "./support/service.ts";

test("neither a session nor a coordinate that a query holds stands anywhere on disk", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "towline-disk-"));
  t.after(() => rmSync(folder, { recursive: true }));
  // Where the runtime writes.
  Object.assign(process.env, { TMPDIR: folder, XDG_CONFIG_HOME: folder });
  const service = await Service.start();
  try {
    const [query, header, job] = [session({ sub: "in-a-query" }), session({ sub: "in-a-header" }), newJob()];
    assert.equal((await service.send("GET", `/api/ably-token?token=${query}`)).status, 400);
    assert.equal((await service.send("GET", `/api/jobs/${job}/location?near=47.5318642,11.2`, { headers: driverOf(job) })).status, 200);
    assert.equal((await service.send("GET", "/api/ably-token", { headers: bearer(header) })).status, 200);
    assert.equal((await service.post(job, { lat: 46.9751308, lng: 11.2 })).status, 200);

    const found = grep([folder], { query, header, asked: "47.5318642", posted: "46.9751308" });
    // The position stands in the object's storage, which is read here as well.
    assert.deepEqual([...new Set(found.map(({ what }) => what))], ["posted"], JSON.stringify(found));
  } finally {
    await service.stop();
  }
});
