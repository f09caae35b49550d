// The table of a run, as text that is also Markdown.

import type { Report } from "./run.ts";

const VERDICTS = [
  ["published", "published: places that the subscriber heard"],
  ["setAside", "set aside"],
  ["lost", "lost"],
  ["doubled", "doubled within two minutes"],
  ["doubledLater", "doubled later than that"],
  ["sameId", "kept by Ably twice under one id"],
  ["outOfOrder", "out of order"],
  ["gaps", "gaps"],
  ["renumbered", "fixes with two seqs, seqs with two fixes"],
  ["altered", "not as posted"],
  ["unconfirmed", "jobs whose trail does not say that all is published"],
  ["unheard", "kept by Ably otherwise than the subscriber heard it"],
] as const;

export function table({ options, seconds, kills, faults, posts, statuses, messages, together, silent, verdict, operators, dispatched }: Report): string {
  const rows: [string, string | number][] = [
    ["publishing", options.publishing],
    ["seed, jobs, seconds", `${options.seed}, ${options.jobs}, ${seconds}`],
    ["kills", kills],
    ["of them followed by silence, and finished by the alarm alone", `${silent.rounds}, ${silent.finished}`],
    ...Object.entries(faults).sort().map(([kind, count]): [string, number] => [`publishes met by ${kind}`, count]),
    ["posts, and requests for them", `${posts.made}, ${posts.requests}`],
    ...Object.entries(statuses).sort().map(([status, count]): [string, number] => [`results ${status}`, count]),
    ["fixes accepted", verdict.counts.accepted],
    ["messages", messages],
    ...(options.publishing === "batched" ? [["of them taken by Ably together with another job's", together] satisfies [string, number]] : []),
    ...VERDICTS.map(([name, label]): [string, number] => [label, verdict.counts[name]]),
    ["registered jobs, reassigned, closed", `${dispatched.jobs}, ${dispatched.reassignments}, ${dispatched.closes}`],
    ["their fixes accepted, and of those withdrawn", `${dispatched.accepted}, ${dispatched.withdrawn}`],
    ["events of the platform's, accepted", dispatched.events],
    ["seen, heard or posted by who was in no more", dispatched.findings.length],
    ["to operators: messages, and reports in them", `${operators.messages}, ${operators.reports}`],
    ["to operators: twice, too soon after another, or never", operators.findings.length],
  ];
  const texts = rows.map(([label, value]) => [label, String(value)] as const);
  const [wide, narrow] = [Math.max(...texts.map(([label]) => label.length)), Math.max("count".length, ...texts.map(([, value]) => value.length))];
  const line = (label: string, value: string) => `| ${label.padEnd(wide)} | ${value.padStart(narrow)} |`;
  return [line("what", "count"), line("-".repeat(wide), `${"-".repeat(narrow - 1)}:`), ...texts.map(([label, value]) => line(label, value))].join("\n");
}

/** What is wrong with a run, in as many lines as a person reads. */
export function complaints({ silent, oddities, lapses, verdict, operators, dispatched }: Report, most = 40): string[] {
  const waiting = silent.rounds - silent.finished;
  const all = [
    ...lapses.map((lapse) => `the witness is none: ${lapse}`),
    ...(waiting > 0 ? [`after ${waiting} of ${silent.rounds} kills that silence followed, something was left waiting`] : []),
    ...oddities,
    ...verdict.findings,
    ...operators.findings,
    ...dispatched.findings,
  ];
  return all.length > most ? [...all.slice(0, most), `… and ${all.length - most} more`] : all;
}
