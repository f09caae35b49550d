// A job: it gives every fix its seq, writes it down, answers, and hands it to the outbox.

/** @import { State } from "cloudflare:workers" */
/** @import { Env, Fix, Post, Publish, Refusal, Rejection, Reply, Result, Row } from "./types.js" */
import { isNamed, isSame, nameOf, Seen } from "./dedupe.js";
import { bodyOf, Log } from "./log.js";
import { effective, updated } from "./message.js";
import { Outbox } from "./outbox.js";

const FIX_AGE_MS = 24 * 3_600_000;
/**
 * An alarm is set once while there is something to look after. It writes down what has arrived before an idle object is put to sleep, which
 * takes ten seconds: one that woke without that would send its last message once more.
 */
const ALARM_MS = 8_000;
const TOO_OLD = { reason: "too_old", field: "capturedAt", detail: "`capturedAt` is longer ago than this service keeps" };
const ID_REUSED = { reason: "id_reused", field: "id", detail: "`id` has been used before, for another position or another `capturedAt`" };

/** What is asked for within an object; nothing of it awaits, so that what one post writes is written as one. */
export class Job {
  #storage;
  #log;
  #seen;
  /** @type {number | null} */
  #epoch;
  #seq;
  /** @type {Row | undefined} */
  #live;
  /** @type {Outbox | undefined} */
  #outbox;
  #isArmed = false;
  #unsentMax;
  #spacing;
  #publish;

  /**
   * @param {State} state
   * @param {Env} env
   * @param {Publish} publish
   */
  constructor(state, env, publish) {
    this.#storage = state.storage;
    this.#publish = publish;
    this.#unsentMax = Number(env.JOB_UNSENT_MAX ?? 100_000);
    // 40 publishes a second leave for one channel, of the 50 that Ably takes.
    this.#spacing = 1_000 / Number(env.JOB_PUBLISH_RATE ?? 40);
    this.#log = new Log(state.storage.sql);
    const { epoch, seq, cap, live, position } = this.#log.wake();
    this.#epoch = epoch;
    this.#seq = seq;
    this.#live = live;
    this.#seen = new Seen(this.#log, cap);
    if (epoch !== null) this.#outbox = this.#outboxOf(jobOf(state), epoch, position);
    this.#outbox?.pump();
  }

  /**
   * @param {string} jobId
   * @param {string} driver
   * @param {Post} post
   * @returns {Reply | Refusal}
   */
  accept(jobId, driver, post) {
    const now = Date.now();
    if (this.#outbox !== undefined && this.#outbox.waiting >= this.#unsentMax) return { problem: "backlog" };
    const { fixes } = post;
    /** @type {Result[]} */
    const results = new Array(fixes.length);
    /** @type {{ fix: Fix, index: number, at: number }[]} */
    const fresh = [];
    /** @type {{ fix: Fix, index: number }[]} */
    const doubtful = [];
    for (let index = 0; index < fixes.length; index += 1) {
      const fix = /** @type {Fix | Rejection} */ (fixes[index]);
      if ("reason" in fix) results[index] = rejected(index, fix);
      else if (fix.capturedAt !== undefined && fix.capturedAt < now - FIX_AGE_MS) results[index] = rejected(index, TOO_OLD);
      else if (this.#seen.mayHave(driver, fix)) doubtful.push({ fix, index });
      else fresh.push({ fix, index, at: effective(fix.capturedAt, now) });
    }
    if (doubtful.length > 0) {
      const seqs = this.#seen.find(
        driver,
        doubtful.map(({ fix }) => fix),
      );
      doubtful.forEach(({ fix, index }, place) => {
        const seq = seqs[place];
        if (seq === undefined) fresh.push({ fix, index, at: effective(fix.capturedAt, now) });
        else results[index] = seq < 0 ? rejected(index, ID_REUSED) : { status: "duplicate", seq };
      });
    }
    const doubles = fresh.length > 1 ? withoutDoubles(driver, fresh, results) : [];
    if (fresh.length > 0) this.#write(jobId, driver, now, fresh, results);
    // What is there twice in one post has the seq that its first has just got.
    for (const { index, of } of doubles) results[index] = { status: "duplicate", seq: results[of]?.seq ?? 0 };
    return { ok: true, jobId, epoch: this.#epoch, results };
  }

  /** The last live fix, as an event has it, and how old it is. @param {string} jobId */
  state(jobId) {
    const now = Date.now();
    if (this.#live === undefined || this.#epoch === null) return { jobId, epoch: this.#epoch, seq: 0, now };
    const { headSeq, ...event } = updated(jobId, this.#epoch, this.#live.head, this.#live.head, this.#live, []);
    return { ...event, now, ageMs: Math.max(0, now - event.capturedAt) };
  }

  alarm() {
    this.#isArmed = false;
    const outbox = this.#outbox;
    if (outbox === undefined) return;
    if (outbox.waiting === 0) return outbox.settle();
    outbox.watch(Date.now());
    outbox.pump();
    this.#arm();
  }

  /**
   * @param {string} jobId
   * @param {string} driver
   * @param {number} now
   * @param {{ fix: Fix, index: number, at: number }[]} fresh
   * @param {Result[]} results
   */
  #write(jobId, driver, now, fresh, results) {
    if (fresh.length > 1) fresh.sort(inOrder);
    if (this.#epoch === null) {
      this.#epoch = Math.floor(now / 1000);
      this.#log.begin(jobId, this.#epoch);
    }
    const outbox = (this.#outbox ??= this.#outboxOf(jobId, this.#epoch, { sent: 0, infl: null }));
    const first = this.#seq + 1;
    let live =
      this.#live === undefined ? -Infinity : effective(this.#live.fixes[this.#live.head - this.#live.first]?.capturedAt, this.#live.ts);
    let head = 0;
    for (const { index, at } of fresh) {
      const seq = (this.#seq += 1);
      const isLate = at < live;
      results[index] = { status: isLate ? "late" : "accepted", seq };
      if (!isLate) [live, head] = [at, seq];
    }
    const fixes = fresh.map(({ fix }) => fix);
    const body = bodyOf(driver, fixes);
    const row = { first, seq: this.#seq, ts: now, head, fixes, size: body.length };
    if (head > 0) this.#live = row;
    this.#seen.add(driver, fixes);
    const position = outbox.positionWith(row.seq, now);
    this.#log.append(row, body, this.#seen.cap, this.#live?.head ?? 0, position);
    outbox.push(row, position);
    this.#arm();
    outbox.pump();
  }

  /**
   * @param {string} jobId
   * @param {number} epoch
   * @param {import("./types.js").Position} position
   */
  #outboxOf(jobId, epoch, position) {
    const options = { jobId, epoch, log: this.#log, publish: this.#publish, position, spacing: this.#spacing };
    return new Outbox(options, position.sent < this.#seq ? this.#log.rowsFrom(position.sent + 1, -1) : []);
  }

  /** Setting an alarm costs a row: so it is set once, and goes off while there are posts. */
  #arm() {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#storage.setAlarm(Date.now() + ALARM_MS).catch(() => {});
  }
}

/** @param {State} state */
function jobOf(state) {
  return state.id.name ?? String(state.storage.sql.exec("SELECT job FROM meta").toArray()[0]?.job);
}

/**
 * Takes out what is there twice in one post.
 * @param {string} driver
 * @param {{ fix: Fix, index: number, at: number }[]} fresh
 * @param {Result[]} results
 */
function withoutDoubles(driver, fresh, results) {
  /** @type {Map<string, { fix: Fix, index: number }>} */
  const names = new Map();
  /** @type {{ index: number, of: number }[]} */
  const doubles = [];
  const kept = fresh.filter(({ fix, index }) => {
    if (!isNamed(fix)) return true;
    const name = nameOf(driver, fix);
    const before = names.get(name);
    if (before === undefined) names.set(name, { fix, index });
    else if (isSame(fix, before.fix)) doubles.push({ index, of: before.index });
    else results[index] = rejected(index, ID_REUSED);
    return before === undefined;
  });
  fresh.splice(0, fresh.length, ...kept);
  return doubles;
}

/**
 * @param {{ fix: Fix, at: number }} a
 * @param {{ fix: Fix, at: number }} b
 */
function inOrder(a, b) {
  return a.at - b.at || (a.fix.capturedAt ?? 0) - (b.fix.capturedAt ?? 0) || a.fix.lat - b.fix.lat || a.fix.lng - b.fix.lng;
}

/**
 * @param {number} index
 * @param {Rejection} why
 * @returns {Result}
 */
function rejected(index, why) {
  return { status: "rejected", index, ...why };
}
