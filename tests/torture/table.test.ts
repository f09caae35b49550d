// When a run passes, and what is said of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "./judge.ts";
import { judgeOperators } from "./operators.ts";
import { passes, type Report } from "./run.ts";
import { complaints, table } from "./table.ts";

const REPORT: Report = {
  options: { publishing: "batched", seed: 7, kills: 5, faults: 50, jobs: 4, wrongKeyMs: 3_000 },
  seconds: 30,
  kills: 6,
  faults: { "5xx": 30, "a reset": 21 },
  faultsMet: 51,
  posts: { made: 90, requests: 100, answered: 95 },
  statuses: { accepted: 300 },
  messages: 80,
  together: 60,
  silent: { rounds: 2, finished: 2 },
  oddities: [],
  lapses: [],
  verdict: judge([]),
  operators: judgeOperators([], {}),
  dispatched: { jobs: 3, reassignments: 9, closes: 2, accepted: 40, events: 7, withdrawn: 1, findings: [] },
  log: [],
};

test("a run passes when it had what was asked for and nothing is wrong", () => {
  assert.ok(passes(REPORT));
  assert.deepEqual(complaints(REPORT), []);
  const { verdict } = REPORT;
  const wrong: Partial<Report>[] = [
    { kills: 4 },
    { faultsMet: 49 },
    { silent: { rounds: 2, finished: 1 } },
    { oddities: ["x"] },
    { lapses: ["x"] },
    { operators: { messages: 1, reports: 1, findings: ["x"] } },
    { dispatched: { jobs: 1, reassignments: 0, closes: 0, accepted: 0, events: 0, withdrawn: 0, findings: ["x"] } },
    { verdict: { ...verdict, counts: { ...verdict.counts, lost: 1 } } },
  ];
  for (const more of wrong) assert.ok(!passes({ ...REPORT, ...more }), JSON.stringify(more));
  assert.ok(passes({ ...REPORT, verdict: { ...verdict, counts: { ...verdict.counts, doubledLater: 2 } } }));
});

test("the table is Markdown, with a row for each kind of fault and of violation", () => {
  const lines = table(REPORT).split("\n");
  assert.ok(lines.every((line) => /^\| .* \| .* \|$/.test(line) && line.length === lines[0]?.length));
  assert.ok(lines.some((line) => /^\| publishes met by a reset +\| +21 \|$/.test(line)));
  assert.ok(lines.some((line) => /^\| of them taken by Ably together .* \| +60 \|$/.test(line)));
  for (const word of ["publishing", "kills", "fixes accepted", "published", "set aside", "lost", "doubled", "out of order", "gaps", "to operators"]) {
    assert.ok(lines.some((line) => line.startsWith(`| ${word}`)), word);
  }
});

test("complaints are as many as a person reads", () => {
  const oddities = Array.from({ length: 50 }, (_, index) => `oddity ${index}`);
  const said = complaints({ ...REPORT, oddities, silent: { rounds: 2, finished: 1 } }, 10);
  assert.equal(said.length, 11);
  assert.match(said[0] ?? "", /1 of 2 kills/);
  assert.match(said[10] ?? "", /41 more/);
});
