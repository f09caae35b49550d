// What the drivers have posted, and what they were told about it.

import type { Posted } from "./judge.ts";

/** The result of one fix in an answer of the service. */
export interface Result {
  status: string;
  seq?: number;
  reason?: string;
}

export class Ledger {
  readonly fixes: Posted[] = [];
  /** Answers that no driver should get. */
  readonly oddities: string[] = [];
  /** How often each status was told. */
  readonly statuses: Record<string, number> = {};
  /** Posts that a driver wanted to make. */
  posts = 0;
  /** Requests that were sent for them, and those that were answered. */
  requests = 0;
  answered = 0;
  readonly #places = new Map<string, Set<string>>();

  /** A new fix. No other has its position, so it is recognised by that wherever it comes up. */
  fix(job: string, recognisable: boolean): Posted {
    const place = this.fixes.length + 1;
    const fix = { job, lat: 45 + (place % 1_000) / 1e5, lng: 13 + Math.floor(place / 1_000) / 1e5, recognisable, sent: 0, told: [] };
    this.fixes.push(fix);
    return fix;
  }

  /**
   * Takes an answer down.
   * @param fixes what was posted; nothing where the fix was not one that the service may take
   */
  told(job: string, fixes: readonly (Posted | undefined)[], answer: { epoch: number | null; results: Result[] }) {
    const { epoch, results } = answer;
    if (results.length !== fixes.length) this.oddities.push(`${job}: ${results.length} results for ${fixes.length} fixes`);
    for (const [index, { status, seq, reason }] of results.entries()) {
      this.statuses[status] = (this.statuses[status] ?? 0) + 1;
      const fix = fixes[index];
      const isTaken = ["accepted", "late", "duplicate"].includes(status) && Number.isInteger(seq) && Number.isInteger(epoch);
      if ((fix !== undefined) !== isTaken) this.oddities.push(`${job}: ${fix ? "a good" : "an impossible"} fix is ${status} ${reason ?? seq}`);
      if (fix === undefined || !isTaken) continue;
      const place = `${epoch}.${seq}`;
      if (!fix.told.includes(place)) fix.told.push(place);
      this.placesOf(job).add(place);
    }
  }

  /** All `epoch.seq` of a job that a driver was told. */
  placesOf(job: string): Set<string> {
    const places = this.#places.get(job) ?? new Set();
    this.#places.set(job, places);
    return places;
  }
}
