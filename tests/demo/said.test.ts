// What the person who has started the demo is told.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { cast } from "../../scripts/demo/cast.mjs";
import { text } from "../../scripts/demo/said.mjs";
import { schedule } from "../../scripts/drive/schedule.mjs";
import { readTrack } from "../../scripts/drive/track.mjs";
import { ROOT } from "../../scripts/setup/environment.mjs";

test("where to look, as whom, and how to drive: people by the names that the page for signing in has", () => {
  const company = cast(schedule(readTrack(join(ROOT, "tests", "data", "car-drive.gpx"))), "demo-x");
  const said = text({ app: "http://localhost:3001", service: "http://127.0.0.1:8787", page: "http://127.0.0.1:8788/#secret=S", cast: company });
  for (const line of [/^Open +http:\/\/localhost:3001$/m, /Dora or Dmitri: a dispatcher\..*demo-x-13 waits/, /Ann has one job, Ben two, Cleo three/, /Luis: a driver/]) {
    assert.match(said, line);
  }
  assert.match(said, /npm run drive -- --file tests\/data\/car-drive\.gpx --job /);
  assert.match(said, /Ctrl-C stops everything/);
  assert.doesNotMatch(text({ app: "", service: "", cast: company }), /Look inside/);
});
