// Games: a job as the service tells it, seen by one viewer to whom everything comes at once and by one over a bad network. What is never to
// be shown is looked for after each input (`support/viewer.ts`); in the end both know all that there is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { points } from "../src/view/index.ts";
import { chance } from "./support/chance.ts";
import { Service, type Told } from "./support/service.ts";
import { type Faults, NO_FAULTS, Viewer } from "./support/viewer.ts";

const GAMES = Number(process.env.GAMES ?? 100_000);
const SEED = Number(process.env.SEED ?? 1);

function play(seed: number): void {
  const [world, net] = [chance(seed * 2), chance(seed * 2 + 1)];
  const viewers: Viewer[] = [];
  const service = new Service(world, (told: Told) => viewers.forEach((viewer) => viewer.hear(told)));
  const faults: Faults = { loses: net.is(0.5) ? 0.2 : 0, doubles: 0.2, delays: net.is(0.7) ? 5_000 : 50, acts: 0.4 };
  const near = new Viewer(service, chance(seed), NO_FAULTS);
  const far = new Viewer(service, net, faults);
  viewers.push(near, far);
  near.want();
  if (net.is(0.5)) far.want();
  for (const viewer of viewers) viewer.askFirst();
  for (let steps = 5 + world.below(30); steps > 0; steps--) {
    // Now and then nothing happens for a while.
    service.t += world.is(0.05) ? 70_000 : world.below(3_000);
    service.step();
    near.fill();
    far.run();
    far.act();
  }
  service.flush();
  near.fill();
  for (const viewer of viewers) {
    viewer.repair();
    viewer.knows();
    viewer.keeps();
  }
  const { at: _, ageMs: __, update, status, ...shown } = far.snapshot();
  const { at: ___, ageMs: ____, update: nearUpdate, status: nearStatus, ...seen } = near.snapshot();
  assert.deepEqual(shown, seen);
  if (!far.hasMissed) assert.deepEqual(points(far.state), points(near.state));
  if (!far.hasLost && !near.hasLost) assert.deepEqual([update, status], [nearUpdate, nearStatus]);
}

test(`${GAMES} games end alike, and show nothing that is old or another's on the way`, () => {
  for (let seed = SEED; seed < SEED + GAMES; seed++) {
    try {
      play(seed);
    } catch (error) {
      throw new Error(`SEED=${seed} GAMES=1`, { cause: error });
    }
  }
});
