// The judgement on what operators heard during a run: each report once, each kind at most once a minute, and of a key that was refused.

import { WRONG_KEY } from "./schedule.ts";
import type { Message } from "./judge.ts";

/** Between two messages of a kind. */
const APART_MS = 60_000;

export interface Told {
  messages: number;
  /** What the messages tell, each job by itself. */
  reports: number;
  findings: string[];
}

/**
 * @param heard all that came on `admin:ops`, in order
 * @param faults how many publishes each kind of fault has met
 */
export function judgeOperators(heard: readonly Message[], faults: Record<string, number>): Told {
  const findings: string[] = [];
  const last = new Map<string, number>();
  const told = new Set<string>();
  let reports = 0;
  for (const { id, name = "", data } of heard) {
    const before = last.get(name);
    if (before !== undefined && data.ts - before < APART_MS) findings.push(`${id}: operators heard ${name} again after ${data.ts - before} ms`);
    last.set(name, data.ts);
    for (const { jobId, ref, at } of data.jobs) {
      const report = `${name} of ${jobId ?? ref} at ${at}`;
      if (told.has(report)) findings.push(`${id}: operators heard twice of ${report}`);
      told.add(report);
      reports += 1;
    }
  }
  if ((faults[WRONG_KEY] ?? 0) > 0 && !last.has("outbox.held")) findings.push("operators never heard that the key was refused");
  return { messages: heard.length, reports, findings };
}
