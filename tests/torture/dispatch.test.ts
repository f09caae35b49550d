// That the judgement on registered jobs finds what it is there to find.

import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeRegistered, type Registered } from "./dispatch.ts";
import type { Message } from "./judge.ts";

const registered = (isClosed: boolean): Registered => ({
  job: "j",
  epochs: new Map([[10, "a"], [20, "b"]]),
  taken: [
    { epoch: 10, seq: 1, driver: "a", lat: 0.1 },
    { epoch: 10, seq: 2, driver: "a", lat: 0.2 },
    { epoch: 20, seq: 1, driver: "b", lat: 0.3 },
  ],
  announced: [],
  isClosed,
});
const told = (name: string, data: object): Message => ({ name, timestamp: 0, data });
const assigned = told("job.assigned", { epoch: 10 });
const reassigned = told("job.reassigned", { epoch: 20 });
const end = told("job.closed", { epoch: 20 });
const fix = (epoch: number, seq: number, lat: number) => told("location.updated", { epoch, fromSeq: seq, seq, lat });

test("what waits when a job is handed on or closed need not come, and all else has to", () => {
  const open = [assigned, fix(10, 1, 0.1), reassigned, fix(20, 1, 0.3)];
  assert.deepEqual(judgeRegistered(registered(false), open), { withdrawn: 1, findings: [] });
  assert.deepEqual(judgeRegistered(registered(true), [assigned, reassigned, end]), { withdrawn: 3, findings: [] });
  assert.equal(judgeRegistered(registered(false), open.slice(0, 3)).findings.length, 1);
});

test("what came before the job was registered is by claims, and is over then", () => {
  const claimed = registered(false);
  claimed.taken.push({ epoch: 5, seq: 1, driver: "b", lat: 0.5 }, { epoch: 5, seq: 2, driver: "a", lat: 0.6 });
  const rest = [assigned, fix(10, 1, 0.1), fix(10, 2, 0.2), reassigned, fix(20, 1, 0.3)];
  assert.deepEqual(judgeRegistered(claimed, [fix(5, 1, 0.5), ...rest]), { withdrawn: 1, findings: [] });
  assert.notDeepEqual(judgeRegistered(claimed, [fix(5, 2, 0.6), ...rest]).findings, []);
  assert.notDeepEqual(judgeRegistered(claimed, [assigned, fix(5, 1, 0.5), ...rest.slice(1)]).findings, []);
});

test("an event that is lost, in another place or in another life is found", () => {
  const job = { ...registered(false), announced: [{ id: "e", epoch: 20, afterSeq: 1 }, { id: "withdrawn", epoch: 10, afterSeq: 2 }] };
  const event = (epoch: number, afterSeq: number, id = "e") => told("job.updated", { epoch, afterSeq, id });
  const before = [assigned, event(10, 0, "v1"), fix(10, 1, 0.1), reassigned, event(20, 0, "v2")];
  assert.deepEqual(judgeRegistered(job, [...before, fix(20, 1, 0.3), event(20, 1)]), { withdrawn: 1, findings: [] });
  for (const history of [
    [...before, fix(20, 1, 0.3)],
    [...before, event(20, 1), fix(20, 1, 0.3)],
    [...before, event(20, 0), fix(20, 1, 0.3)],
    [assigned, fix(10, 1, 0.1), event(10, 1), reassigned, fix(20, 1, 0.3)],
  ]) {
    assert.notDeepEqual(judgeRegistered(job, history).findings, [], JSON.stringify(history));
  }
});

test("each way in which access can outlast its end is found", () => {
  for (const [isClosed, ...history] of [
    [false, assigned, fix(10, 1, 0.1), reassigned, fix(10, 2, 0.2), fix(20, 1, 0.3)],
    [false, assigned, fix(10, 2, 0.2), reassigned, fix(20, 1, 0.3)],
    [false, assigned, fix(10, 1, 0.1), reassigned, fix(20, 1, 0.2)],
    [false, reassigned, fix(20, 1, 0.3), assigned],
    [true, assigned, reassigned, end, fix(20, 1, 0.3)],
    [true, assigned, reassigned, end, end],
    [true, assigned, reassigned],
  ] as [boolean, ...Message[]][]) {
    assert.notDeepEqual(judgeRegistered(registered(isClosed), history).findings, [], JSON.stringify(history));
  }
  const stolen = registered(false);
  stolen.taken.push({ epoch: 20, seq: 2, driver: "a", lat: 0.4 });
  assert.match(judgeRegistered(stolen, [assigned, reassigned, fix(20, 1, 0.3), fix(20, 2, 0.4)]).findings[0] ?? "", /an epoch of b/);
});
