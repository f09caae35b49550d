// Games: a job goes through anything, the page and the network too; once all is mended, what the page shows is what there is. By a channel,
// by streams, and by a channel with no stream to stand in for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JobSnapshot } from "../src/view/types.ts";
import { watchJob, watchTrail } from "../src/watch.ts";
import { settled } from "./support/fake-core.ts";
import { ModelJob } from "./support/model-job.ts";

const MOVES = ["fix", "fix", "fix", "reassign", "arrive", "move", "remove", "add", "gate", "openGate", "close", "cutAbly", "cutHttp", "mend", "hide", "show", "erase", "refresh", "wait", "waitLong"] as const;

async function play(mode: "ably" | "stream" | "poll", moves: readonly (typeof MOVES)[number][], withTrail: boolean) {
  const job = new ModelJob(mode);
  const { core } = job;
  const store = watchJob(core, "job-1");
  const trail = watchTrail(core, "job-1");
  const seen: JobSnapshot[] = [];
  const leave = [store.subscribe(() => void seen.push(store.get()))];
  if (withTrail) leave.push(trail.subscribe(() => {}));
  await settled();
  for (const move of moves) {
    // No two things happen in one millisecond.
    await core.clock.pass(1);
    if (move === "hide" || move === "show") core.visible.set(move === "show");
    else if (move === "erase" || move === "refresh") core.page(move);
    else if (move === "wait" || move === "waitLong") await core.clock.pass(move === "wait" ? 300 : 20_000);
    else job[move]();
    await settled();
    const { position } = store.get();
    if (move === "erase" || move === "reassign" || move === "remove" || move === "gate" || move === "close") {
      // Whoever hears it shows nothing of before.
      if (job.ably && job.http) assert.ok(position === undefined || (move !== "erase" && position.epoch === job.epoch && job.truth()[0] === "seen"), `${move} shows ${position?.epoch}.${position?.seq}`);
    }
  }
  core.visible.set(true);
  job.mend();
  // A page that was put away is refreshed when it comes back; nobody else is.
  if (moves.lastIndexOf("erase") > moves.lastIndexOf("refresh")) core.page("refresh");
  await core.clock.pass(500);
  job.reconnect();
  await core.clock.pass(70_000);
  job.reconnect();
  await core.clock.pass(5_000);
  const { status, position, arrivedAt } = store.get();
  const [expected, place] = job.truth();
  const shown = ["ended", "not_yours", "withheld"].includes(status) ? status : "seen";
  assert.deepEqual([shown, position && `${position.epoch}.${position.seq}`], [expected, place], status);
  assert.ok(!["waiting", "offline"].includes(status), status);
  assert.equal(arrivedAt !== undefined, expected === "seen" && job.hasArrived, "where it has arrived is the place");
  if (expected === "seen" && withTrail) assert.deepEqual(trail.get().map(({ seq }) => seq), Array.from({ length: place ? job.seq : 0 }, (_, index) => index + 1));
  else if (expected !== "seen") assert.deepEqual(trail.get(), []);
  let last = [0, 0];
  for (const { position } of seen) {
    if (position === undefined) continue;
    const place = [position.epoch, position.seq];
    assert.ok(place[0]! > last[0]! || (place[0] === last[0] && place[1]! >= last[1]!), `${place} after ${last}`);
    last = place;
  }
  for (const call of leave) call();
  await core.clock.pass(5_000);
  core.assertQuiet();
}

for (const mode of ["ably", "stream", "poll"] as const) {
  test(`games by ${mode}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...MOVES), { maxLength: 25 }), fc.boolean(), (moves, withTrail) => play(mode, moves, withTrail)),
      { numRuns: 300 },
    );
  });
}
