// What is found of what operators heard.

import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeOperators } from "./operators.ts";
import { WRONG_KEY } from "./schedule.ts";

const message = (name: string, ts: number, ...jobs: [string, number][]) => ({
  id: `ops:${ts}`,
  name,
  timestamp: ts,
  data: { ts, count: jobs.length, jobs: jobs.map(([jobId, at]) => ({ jobId, at })) },
});

test("each report once, and a kind once a minute", () => {
  const good = [message("outbox.held", 1_000, ["a", 1], ["b", 2]), message("outbox.resumed", 2_000, ["a", 3]), message("outbox.held", 61_000, ["a", 4])];
  assert.deepEqual(judgeOperators(good, { [WRONG_KEY]: 3 }), { messages: 3, reports: 4, findings: [] });
  assert.deepEqual(judgeOperators([], { "5xx": 3 }).findings, []);
  for (const [heard, pattern] of [
    [[message("outbox.held", 1_000, ["a", 1]), message("outbox.held", 60_999, ["a", 4])], /again after 59999 ms/],
    [[message("outbox.held", 1_000, ["a", 1]), message("outbox.held", 70_000, ["a", 1])], /twice of outbox.held of a at 1/],
    [[message("outbox.resumed", 1_000, ["a", 1])], /never heard/],
  ] as const) {
    const { findings } = judgeOperators(heard, { [WRONG_KEY]: 1 });
    assert.ok(findings.some((finding) => pattern.test(finding)), findings.join());
  }
});
