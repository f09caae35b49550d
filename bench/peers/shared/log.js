// A job's storage: a log with one row a post. Where the outbox stands rides on the row, so that a post writes nothing else.

/** @import { Sql } from "cloudflare:workers" */
/** @import { Fix, Position, Row } from "./types.js" */

/**
 * @typedef {object} Woken what a job is found as
 * @property {number | null} epoch nothing before the first fix
 * @property {number} seq
 * @property {number | null} cap
 * @property {Row | undefined} live the row of the last live fix
 * @property {Position} position
 */

export class Log {
  #sql;

  /** @param {Sql} sql */
  constructor(sql) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS meta (id INTEGER PRIMARY KEY CHECK (id = 0), job TEXT NOT NULL, epoch INTEGER NOT NULL, sent INTEGER NOT NULL, infl INTEGER)",
    );
    sql.exec(
      "CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, first INTEGER NOT NULL, ts INTEGER NOT NULL, cap INTEGER, head INTEGER NOT NULL, " +
        "live INTEGER NOT NULL, sent INTEGER NOT NULL, infl INTEGER, body TEXT NOT NULL)",
    );
  }

  /** Reads the last row and what it points to, never the whole log. @returns {Woken} */
  wake() {
    const [meta] = this.#sql.exec("SELECT epoch, sent, infl FROM meta").toArray();
    if (meta === undefined) return { epoch: null, seq: 0, cap: null, live: undefined, position: { sent: 0, infl: null } };
    const [last] = this.#sql.exec("SELECT seq, cap, live, sent, infl FROM log ORDER BY seq DESC LIMIT 1").toArray();
    const [live] = last?.live ? this.rowsFrom(last.live, 1) : [];
    // A position only grows: of the two that are written down, the further one is the later.
    const [a, b] = [meta, last ?? meta];
    const isA = a.sent > b.sent || (a.sent === b.sent && (a.infl ?? 0) > (b.infl ?? 0));
    const { sent, infl } = isA ? a : b;
    return { epoch: meta.epoch, seq: last?.seq ?? 0, cap: last?.cap ?? null, live, position: { sent, infl: infl > sent ? infl : null } };
  }

  /**
   * @param {string} job
   * @param {number} epoch
   */
  begin(job, epoch) {
    this.#sql.exec("INSERT INTO meta (id, job, epoch, sent) VALUES (0, ?, ?, 0)", job, epoch);
  }

  /**
   * @param {Row} row
   * @param {string} body
   * @param {number | null} cap
   * @param {number} live
   * @param {Position} position
   */
  append(row, body, cap, live, position) {
    this.#sql.exec(
      "INSERT INTO log (seq, first, ts, cap, head, live, sent, infl, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      row.seq,
      row.first,
      row.ts,
      cap,
      row.head,
      live,
      position.sent,
      position.infl,
      body,
    );
  }

  /** @param {Position} position */
  save(position) {
    this.#sql.exec("UPDATE meta SET sent = ?, infl = ?", position.sent, position.infl);
  }

  /**
   * The rows that hold this seq, and what comes after it.
   * @param {number} seq
   * @param {number} limit
   */
  rowsFrom(seq, limit) {
    return this.#sql
      .exec("SELECT seq, first, ts, head, body FROM log WHERE seq >= ? ORDER BY seq LIMIT ?", seq, limit)
      .toArray()
      .map(rowOf);
  }

  /** What every fix is recognised by, row by row. @param {(driver: string, fix: Fix) => void} each */
  everyFix(each) {
    for (const [text] of this.#sql.exec("SELECT body FROM log").raw()) {
      const { driver, fixes } = JSON.parse(text);
      for (const fix of fixes) each(driver, fixOf(fix));
    }
  }

  /**
   * The rows whose text holds one of these, in one query for all of a post.
   * @param {string[]} texts
   * @returns {{ driver: string, row: Row }[]}
   */
  rowsWith(texts) {
    return this.#sql
      .exec(
        "SELECT seq, first, ts, head, body FROM log WHERE EXISTS (SELECT 1 FROM json_each(?) WHERE instr(log.body, json_each.value) > 0) ORDER BY seq",
        JSON.stringify(texts),
      )
      .toArray()
      .map((row) => ({ driver: JSON.parse(row.body).driver, row: rowOf(row) }));
  }
}

/**
 * The text of a row: arrays, since every byte is written, read and paid for.
 * @param {string} driver
 * @param {Fix[]} fixes
 */
export function bodyOf(driver, fixes) {
  return JSON.stringify({
    driver,
    fixes: fixes.map((fix) => [fix.capturedAt, fix.lat, fix.lng, fix.id, fix.speed, fix.heading, fix.accuracy, fix.altitude]),
  });
}

/** @param {any[]} kept @returns {Fix} */
function fixOf([capturedAt, lat, lng, id, speed, heading, accuracy, altitude]) {
  const known = (/** @type {any} */ value) => value ?? undefined;
  return {
    lat,
    lng,
    speed: known(speed),
    heading: known(heading),
    accuracy: known(accuracy),
    altitude: known(altitude),
    capturedAt: known(capturedAt),
    id: known(id),
  };
}

/** @param {Record<string, any>} kept @returns {Row} */
function rowOf({ seq, first, ts, head, body }) {
  return { seq, first, ts, head, fixes: JSON.parse(body).fixes.map(fixOf), size: body.length };
}
