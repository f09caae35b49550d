// Who is present on the chosen channel, as PRESENCE and SYNC tell it.

import { payload } from "./payload.js";
import { byId, clock, element, number, Rows, write } from "./view.js";

const ABSENT = 0;
const LEAVE = 3;
const SYNC = 16;
/** A channel has 200 at most, and fixtures besides. */
const SHOWN_MAX = 300;
const EVERY_MS = 200;

/** @typedef {Record<string, any>} Member */

export class Presence {
  /** @type {Map<string, Member>} */
  #members = new Map();
  /** @type {Set<string> | undefined} whom a SYNC has not named yet */
  #unnamed;
  #filter = "";
  #paused = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #count = byId("presence-count");
  #rows = new Rows(byId("presence-list"), row);

  clear() {
    this.#members.clear();
    this.#unnamed = undefined;
    this.#draw();
  }

  /** @param {string} filter in lower case */
  filter(filter) {
    this.#filter = filter;
    this.#draw();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.#paused = paused;
    this.#soon();
  }

  /** Attached: those present follow in a SYNC, or there are none. @param {boolean} hasPresence */
  attached(hasPresence) {
    this.#unnamed = new Set(this.#members.keys());
    if (!hasPresence) this.#endSync();
  }

  /** @param {Record<string, any>} frame PRESENCE or SYNC */
  heard(frame) {
    for (const [index, sent] of (frame.presence ?? []).entries()) {
      const member = { id: `${frame.id}:${index}`, connectionId: frame.connectionId, timestamp: frame.timestamp, ...sent };
      const key = JSON.stringify([member.connectionId, member.clientId]);
      this.#unnamed?.delete(key);
      if (member.action === LEAVE || member.action === ABSENT) this.#members.delete(key);
      else if (this.#members.has(key) || this.#members.size < SHOWN_MAX) this.#members.set(key, member);
    }
    // The last page of a SYNC has no cursor after the colon.
    if (frame.action === SYNC && (frame.channelSerial === undefined || frame.channelSerial.endsWith(":"))) this.#endSync();
    this.#soon();
  }

  #endSync() {
    for (const key of this.#unnamed ?? []) this.#members.delete(key);
    this.#unnamed = undefined;
    this.#soon();
  }

  #soon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, EVERY_MS);
  }

  #draw() {
    if (this.#paused) return;
    write(this.#count, this.#members.size === 0 ? "nobody" : number(this.#members.size));
    const shown = [...this.#members].filter(([, member]) =>
      [member.clientId, member.connectionId, member.data].join("\n").toLowerCase().includes(this.#filter),
    );
    shown.sort(([, one], [, other]) => String(one.clientId).localeCompare(String(other.clientId)));
    this.#rows.show(shown, ([key]) => key);
  }
}

/** @returns {import("./view.js").Row} */
function row() {
  const [name, since, connection, data] = [element("strong"), element("span", "dim small"), element("span", "mono dim"), element("div", "mono")];
  return {
    node: element("li", "", element("div", "head", name, connection, since), data),
    update: (/** @type {[string, Member]} */ [, member]) => {
      const { kind, preview } = payload(member.data, member.encoding);
      write(name, member.clientId ?? "no clientId");
      write(connection, member.connectionId ?? "");
      write(since, `since ${clock(member.timestamp)}`);
      write(data, kind === "no data" ? "" : preview);
    },
  };
}
