// How much is going on: what there was in the last second, and in the minute before.

import { byId, dress, element, number, rate, write } from "./view.js";

/** How many seconds a line goes back. */
const BACK = 60;
const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {object} Rate
 * @property {string} name
 * @property {(snapshot: any) => number} total
 * @property {boolean} [alarm] any is bad
 */

/** @type {Rate[]} */
const RATES = [
  { name: "Published", total: (snapshot) => snapshot.app?.traffic.published ?? 0 },
  { name: "Delivered", total: (snapshot) => snapshot.app?.traffic.delivered ?? 0 },
  { name: "Presence", total: (snapshot) => snapshot.app?.traffic.presence ?? 0 },
  { name: "REST requests", total: (snapshot) => snapshot.requests },
  { name: "Refused", total: (snapshot) => snapshot.refusals.total, alarm: true },
];

export class Rates {
  /** @type {any} */
  #before;
  /** @type {any} */
  #last;
  /** @type {number[][]} */
  #past = RATES.map(() => []);
  #tiles = RATES.map(({ name }) => tile(name, true));
  #connections = tile("Connections", false);
  #channels = tile("Channels", false);

  constructor() {
    byId("tiles").replaceChildren(...[...this.#tiles, this.#connections, this.#channels].map(({ node }) => node));
  }

  clear() {
    this.#past = RATES.map(() => []);
    this.#before = undefined;
  }

  /** @param {any} snapshot */
  count(snapshot) {
    // A query that has just changed brings one at once, of no time at all.
    if (this.#last !== undefined && snapshot.now - this.#last.now < 500) return;
    this.#before = this.#last?.started === snapshot.started && this.#last?.app?.id === snapshot.app?.id ? this.#last : undefined;
    this.#last = snapshot;
    if (this.#before === undefined) return;
    for (const [index, { total }] of RATES.entries()) {
      const past = this.#past[index];
      past?.push(this.#perSecond(total(snapshot), total(this.#before)));
      if (past !== undefined && past.length > BACK) past.shift();
    }
  }

  /**
   * @param {number} now
   * @param {number} before
   */
  #perSecond(now, before) {
    const seconds = (this.#last.now - this.#before.now) / 1000;
    return Math.max(0, (now - before) / seconds);
  }

  /**
   * How many messages a second were published on a channel.
   * @param {string} name
   */
  ofChannel(name) {
    const find = (/** @type {any} */ snapshot) => snapshot?.app?.channels.shown.find((/** @type {any} */ channel) => channel.name === name);
    const [now, before] = [find(this.#last), find(this.#before)];
    return now === undefined || before === undefined ? 0 : this.#perSecond(now.traffic.published, before.traffic.published);
  }

  /**
   * How many frames a second went from and to a connection.
   * @param {string} id
   */
  ofConnection(id) {
    const find = (/** @type {any} */ snapshot) => snapshot?.app?.connections.shown.find((/** @type {any} */ connection) => connection.id === id);
    const [now, before] = [find(this.#last), find(this.#before)];
    if (now === undefined || before === undefined) return { received: 0, sent: 0 };
    return { received: this.#perSecond(now.received, before.received), sent: this.#perSecond(now.sent, before.sent) };
  }

  /** @param {any} snapshot */
  draw(snapshot) {
    for (const [index, { total, alarm }] of RATES.entries()) {
      const tile = this.#tiles[index];
      const past = this.#past[index] ?? [];
      const last = past.at(-1) ?? 0;
      write(tile?.value ?? byId("tiles"), rate(last));
      dress(tile?.value ?? byId("tiles"), alarm === true && last > 0 ? "alarm" : "");
      tile?.node.setAttribute("title", `${number(total(snapshot))} since the start`);
      const top = Math.max(1, ...past);
      tile?.line?.setAttribute("points", past.map((value, at) => `${(at * 48) / BACK},${21 - (20 * value) / top}`).join(" "));
    }
    write(this.#connections.value, number(snapshot.app?.connections.connected ?? 0));
    write(this.#channels.value, number(snapshot.app?.channels.total ?? 0));
  }
}

/**
 * @param {string} name
 * @param {boolean} hasLine
 */
function tile(name, hasLine) {
  const value = element("dd");
  const node = element("div", "", element("dt", "", name), value);
  if (!hasLine) return { node, value, line: undefined };
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "polyline");
  svg.setAttribute("viewBox", "0 0 48 22");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  // A list of descriptions holds nothing but terms and descriptions.
  node.append(element("dd", "past", svg));
  return { node, value, line };
}
