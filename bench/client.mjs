// npm run bench:client: how many events a second the client's reducer takes in Node, without a network and without a page.
//
// Each run is a job of 100,000 fixes, one message each, as they come where nothing goes wrong; with its trail and without. The first runs
// warm up and are not counted. The median of the others is told, a second being one of CPU: whatever else the machine does hardly shows.

import { begin, points, reduce, show } from "../clients/typescript/src/view/index.ts";

const EVENTS = 100_000;
const RUNS = 15;
const WARM = 3;
const jobId = "job-1";
const epoch = 1_795_564_722;
const start = epoch * 1_000;

const messages = Array.from({ length: EVENTS }, (_, n) => {
  const ts = start + 1_000 * n;
  return { jobId, epoch, seq: n + 1, fromSeq: n + 1, lat: 48.2 + n / 1e6, lng: 16.37 + n / 1e6, speed: 13.9, heading: n % 360, accuracy: 5, capturedAt: ts - 200, ts };
});

/** Events a second, and what is shown in the end. */
function run(/** @type {boolean} */ wanted) {
  let state = reduce(begin(jobId), { is: "first", state: { jobId, epoch: null, seq: 0, now: start }, asked: 0, at: 0 });
  if (wanted) state = reduce(state, { is: "want_trail", at: 0 });
  const began = process.cpuUsage();
  for (let n = 0; n < EVENTS; n++) state = reduce(state, { is: "message", name: "location.updated", data: messages[n], at: 1_000 * n });
  const { user, system } = process.cpuUsage(began);
  if (show(state, 0).position?.seq !== EVENTS || points(state).length !== (wanted ? 20_000 : 0)) throw new Error("not what is to be shown");
  return (EVENTS / (user + system)) * 1e6;
}

for (const wanted of [false, true]) {
  const runs = Array.from({ length: WARM + RUNS }, () => run(wanted)).slice(WARM).sort((a, b) => a - b);
  const median = runs[RUNS >> 1] ?? 0;
  console.log(`${wanted ? "with its trail" : "without a trail"}: ${Math.round(median / 1_000) / 1_000} million events a second`);
}
