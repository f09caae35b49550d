// After a trap (a panic, a stack that is full, no more memory) the build's code begins anew, and so does all that was made of it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertTaken } from "./support/answers.ts";
import { driverOf, newJob, Service } from "./support/service.ts";
import { until } from "./support/until.ts";

/** A request with `x-trap` finds that the code has trapped, as the build itself notes it: nothing in it is known to. */
const trapping = (entry: string) => {
  const edited = entry.replace(/(\w+) as default/, "trapping as default");
  assert.notEqual(edited, entry);
  const [, plain] = /(\w+) as default/.exec(entry) ?? [];
  return `${edited}
var trapping = {
  fetch(request, env) {
    if (request.headers.has("x-trap")) globalThis.__worker_init_state.criticalError = true;
    return ${plain}.fetch(request, env);
  },
};
`;
};

let service: Service;
before(async () => (service = await Service.start({}, undefined, trapping)));
after(() => service.stop());

test("a job goes on where it was, and so does its outbox", async () => {
  const [job, other] = [newJob(), newJob()];
  for (const id of [job, other]) assertTaken(await service.post(id, { lat: 1, lng: 1 }), id);
  for (const id of [job, other]) await service.ably.reached(id, 1);
  const trapped = await service.post(job, { lat: 2, lng: 1 }, { ...driverOf(job), "x-trap": "1" });
  assert.deepEqual(
    assertTaken(trapped, job).map(({ seq }) => seq),
    [2],
  );
  assert.deepEqual(
    assertTaken(await service.post(other, { lat: 2, lng: 1 }), other).map(({ seq }) => seq),
    [2],
    "an object that was not asked meanwhile begins anew too",
  );
  for (const id of [job, other]) await service.ably.reached(id, 2);
  assert.equal((await service.state(job)).json.seq, 2);
  await until("the log to tell", () => service.logs().some(({ text }) => text.includes("Reinitializing")));
});
