// Whether a side did the work: what is on its disk, once it has ended, against what it was given and what the stub of Ably got.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** @import { Account } from "./running.mjs" */
/** @import { Seen } from "./stub/start.mjs" */

/** How many faults are told: the others are alike. */
const FAULTS_MAX = 10;

/** @typedef {{ epoch: number, last: number, fixes: number, gap: number | null }} Kept what a job's log holds */

/**
 * Reads the logs of all jobs. Towline's, those of its older builds, and the peers' are alike: a row a post, with its last seq, and its fixes in
 * the body; an epoch in `lives`, or in `meta` where there is no such table.
 * @param {string} dir of the side
 */
export function readLogs(dir) {
  /** @type {Map<string, Kept>} */
  const kept = new Map();
  const folder = join(dir, "bench");
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite") : [];
  for (const name of files) {
    const storage = new DatabaseSync(join(folder, name));
    try {
      const tables = storage
        .prepare("SELECT name FROM sqlite_master")
        .all()
        .map(({ name }) => name);
      const job = tables.includes("meta") && tables.includes("log") ? storage.prepare("SELECT job FROM meta").get()?.job : undefined;
      // An object that was only asked has written nothing.
      if (typeof job !== "string") continue;
      const epochs = storage.prepare(`SELECT epoch FROM ${tables.includes("lives") ? "lives" : "meta"}`).all();
      // What is asked of the rows needs their order alone: it is that of the primary key, `n` or `seq`.
      const rows = "SELECT rowid AS place, seq, json_array_length(body, '$.fixes') AS size FROM log";
      const sums = storage.prepare(`SELECT max(seq) AS last, sum(size) AS fixes FROM (${rows})`).get();
      const gap = storage
        .prepare(
          `SELECT min(seq) AS gap FROM (SELECT seq, size, lag(seq, 1, 0) OVER (ORDER BY place) AS before FROM (${rows})) WHERE seq - size <> before`,
        )
        .get();
      const epoch = epochs.length === 1 ? Number(epochs[0]?.epoch) : NaN;
      kept.set(job, { epoch, last: Number(sums?.last), fixes: Number(sums?.fixes), gap: gap?.gap === null ? null : Number(gap?.gap) });
    } finally {
      storage.close();
    }
  }
  return kept;
}

/**
 * What is wrong with what a side did; nothing, where it kept all promises.
 * @param {Iterable<Account>} accounts
 * @param {Map<string, Kept> | undefined} kept nothing where a side keeps no log: then its messages are counted
 * @param {Record<string, Seen>} seen
 */
export function faultsOf(accounts, kept, seen) {
  /** @type {string[]} */
  const faults = [];
  for (const [job, { wrong }] of Object.entries(seen))
    if (wrong !== undefined) faults.push(`job ${job}: Ably was sent something wrong: ${wrong}`);
  for (const [job, { epoch, last, fixes, gap }] of kept ?? []) {
    const channel = seen[job];
    if (gap !== null) faults.push(`job ${job}: on disk something is missing before seq ${gap}`);
    if (fixes !== last) faults.push(`job ${job}: on disk are ${fixes} fixes, and the last has seq ${last}`);
    if (channel === undefined) faults.push(`job ${job}: Ably got none of ${fixes} fixes`);
    else if (channel.epoch !== epoch) faults.push(`job ${job}: the epoch is ${epoch} on disk, and ${channel.epoch} at Ably`);
    else if (channel.last !== last || channel.fixes !== fixes)
      faults.push(`job ${job}: ${fixes} fixes on disk, ${channel.fixes} at Ably, of which the last is ${channel.last}`);
  }
  if (kept !== undefined)
    for (const job of Object.keys(seen)) if (!kept.has(job)) faults.push(`job ${job}: Ably was sent what is not on disk`);
  for (const { jobs, least, most } of accounts) {
    const found = jobs.reduce((sum, job) => sum + (kept === undefined ? (seen[job]?.fixes ?? 0) : (kept.get(job)?.fixes ?? 0)), 0);
    if (found < least || found > most)
      faults.push(`jobs ${jobs[0]} and others: ${found} fixes were kept, of ${least} to ${most} that were posted`);
  }
  return faults.length <= FAULTS_MAX ? faults : [...faults.slice(0, FAULTS_MAX), `and ${faults.length - FAULTS_MAX} more`];
}
