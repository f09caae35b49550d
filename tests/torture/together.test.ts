// Which messages have shared a request.

import assert from "node:assert/strict";
import { test } from "node:test";
import { takenTogether } from "./together.ts";

test("those of different jobs with one timestamp", () => {
  const taken = (job: string, ...timestamps: number[]) => ({ job, history: timestamps.map((timestamp) => ({ timestamp, data: {} })) });
  assert.equal(takenTogether([taken("a", 1, 2, 3), taken("b", 2, 4), taken("c", 2, 5)]), 3);
  assert.equal(takenTogether([taken("a", 1, 1), taken("b", 2)]), 0, "a job has no request for two messages");
  assert.equal(takenTogether([]), 0);
});
