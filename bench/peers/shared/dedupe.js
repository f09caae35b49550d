// Recognising a fix that was posted before, without a look at the log for one that was not.
//
// A fix that was captured later than all before it, and has no id, is new: `cap` says so. For all others there is a set of hashes of
// what every fix of the log is recognised by, filled at the first fix that needs it; a hit means no more than "look it up".

/** @import { Fix } from "./types.js" */
/** @import { Log } from "./log.js" */

export class Seen {
  /** @type {Set<number> | undefined} */
  #hashes;
  #log;

  /**
   * @param {Log} log
   * @param {number | null} cap the latest `capturedAt` of all
   */
  constructor(log, cap) {
    this.#log = log;
    this.cap = cap;
  }

  /**
   * Whether the fix may have been posted before.
   * @param {string} driver
   * @param {Fix} fix
   */
  mayHave(driver, fix) {
    if (fix.id === undefined && (fix.capturedAt === undefined || this.cap === null || fix.capturedAt > this.cap)) return false;
    return this.#filled().has(hashOf(nameOf(driver, fix)));
  }

  /**
   * @param {string} driver
   * @param {Fix[]} fixes
   */
  add(driver, fixes) {
    for (const fix of fixes) {
      if (fix.capturedAt !== undefined && (this.cap === null || fix.capturedAt > this.cap)) this.cap = fix.capturedAt;
      if (this.#hashes !== undefined && isNamed(fix)) this.#hashes.add(hashOf(nameOf(driver, fix)));
    }
  }

  /**
   * The seqs of those that were posted before; -1 where an id stands for something else.
   * @param {string} driver
   * @param {Fix[]} fixes
   * @returns {(number | undefined)[]}
   */
  find(driver, fixes) {
    const texts = fixes.map((fix) => (fix.id === undefined ? String(fix.capturedAt) : JSON.stringify(fix.id)));
    /** @type {Map<string, { seq: number, fix: Fix }>} */
    const known = new Map();
    for (const { driver: whose, row } of this.#log.rowsWith(texts)) {
      if (whose !== driver) continue;
      row.fixes.forEach((fix, index) => {
        const name = nameOf(driver, fix);
        if (!known.has(name)) known.set(name, { seq: row.first + index, fix });
      });
    }
    return fixes.map((fix) => {
      const found = known.get(nameOf(driver, fix));
      if (found === undefined) return undefined;
      return isSame(fix, found.fix) ? found.seq : -1;
    });
  }

  #filled() {
    if (this.#hashes !== undefined) return this.#hashes;
    const hashes = new Set();
    this.#log.everyFix((driver, fix) => isNamed(fix) && hashes.add(hashOf(nameOf(driver, fix))));
    return (this.#hashes = hashes);
  }
}

/** @param {Fix} fix */
export function isNamed(fix) {
  return fix.id !== undefined || fix.capturedAt !== undefined;
}

/**
 * What a fix is recognised by.
 * @param {string} driver
 * @param {Fix} fix
 */
export function nameOf(driver, fix) {
  return fix.id === undefined ? `${driver} ${fix.capturedAt} ${fix.lat} ${fix.lng}` : `${driver}\t${fix.id}`;
}

/**
 * @param {Fix} a
 * @param {Fix} b
 */
export function isSame(a, b) {
  return a.capturedAt === b.capturedAt && a.lat === b.lat && a.lng === b.lng;
}

/**
 * 53 bits of a hash, as much as a number holds (cyrb53): a false hit costs a look-up, and nothing else.
 * @param {string} text
 */
function hashOf(text) {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}
