// What subscribers receive: one message for the fixes `fromSeq … seq`.

/** @import { Row } from "./types.js" */

/** As much of the rows' text goes into one message: Ably takes 64 KiB. */
export const MESSAGE_MAX = 58 * 1024;

/**
 * The message that stands for these rows, which follow each other; the same bytes however often.
 * @param {string} jobId
 * @param {number} epoch
 * @param {Row[]} rows not empty
 */
export function messageOf(jobId, epoch, rows) {
  const last = /** @type {Row} */ (rows.at(-1));
  const head = rows.findLast((row) => row.head > 0);
  const fromSeq = /** @type {Row} */ (rows[0]).first;
  /** @type {unknown[][]} */
  const backfill = [];
  for (const row of rows) {
    row.fixes.forEach((fix, index) => {
      const seq = row.first + index;
      if (seq !== head?.head) backfill.push([seq, effective(fix.capturedAt, row.ts), fix.lat, fix.lng]);
    });
  }
  const name = head === undefined ? "location.backfilled" : "location.updated";
  const data =
    head === undefined
      ? { jobId, epoch, fromSeq, seq: last.seq, ts: last.ts, backfill }
      : updated(jobId, epoch, fromSeq, last.seq, head, backfill);
  return JSON.stringify({ id: `${jobId}/${epoch}.${last.seq}`, name, data: JSON.stringify(data), encoding: "json" });
}

/**
 * The data of `location.updated`; what is undefined JSON leaves out.
 * @param {string} jobId
 * @param {number} epoch
 * @param {number} fromSeq
 * @param {number} seq
 * @param {Row} row of the head
 * @param {unknown[][]} backfill
 */
export function updated(jobId, epoch, fromSeq, seq, row, backfill) {
  const fix = row.fixes[row.head - row.first];
  return {
    jobId,
    epoch,
    seq,
    fromSeq,
    headSeq: row.head === seq ? undefined : row.head,
    lat: fix?.lat,
    lng: fix?.lng,
    speed: fix?.speed,
    heading: fix?.heading,
    accuracy: fix?.accuracy,
    altitude: fix?.altitude,
    ts: row.ts,
    capturedAt: effective(fix?.capturedAt, row.ts),
    backfill: backfill.length === 0 ? undefined : backfill,
  };
}

/**
 * When a fix counts as measured: never later than it was accepted.
 * @param {number | undefined} capturedAt
 * @param {number} ts
 */
export function effective(capturedAt, ts) {
  return capturedAt === undefined || capturedAt > ts ? ts : capturedAt;
}
