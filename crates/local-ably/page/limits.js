// The limits that hold, where any do: how close one is, and what they have refused.

import { byId, dress, element, number, rate, Rows, write } from "./view.js";

/** From which part of a limit on it is near. */
const NEAR = 0.8;
const HOUR_MS = 3_600_000;

/** What counts for the whole server. Of the others, which hold for each channel or connection, only refusals are told. */
const SHARED = /** @type {Record<string, string>} */ ({
  "messages.maxRate": "messages in and out",
  "apiRequests.maxRate": "REST requests",
  "apiRequests.hourly": "REST requests",
  "tokenRequests.maxRate": "token requests",
  "tokenRequests.hourly": "token requests",
  "connections.peak": "connections",
  "connections.maxRate": "new connections",
  "channels.maxRate": "new channels",
});

/** @typedef {{ metric: string, permitted: number, perMs?: number, code: number, admitted: number, refused: number }} Metric */
/** @typedef {{ metric: string, code: number, text: string, className: string }} Line */

export class Limits {
  #rows = new Rows(byId("limits-list"), row);
  /** @type {any} */
  #before;
  /** @type {any} */
  #last;

  /**
   * Notes how much there has been.
   * @param {any} snapshot
   */
  count(snapshot) {
    // A query that has just changed brings one at once, of no time at all.
    if (this.#last !== undefined && snapshot.now - this.#last.now < 500) return;
    this.#before = this.#last?.started === snapshot.started ? this.#last : undefined;
    this.#last = snapshot;
  }

  draw() {
    const { plan = null, metrics = [] } = this.#last?.limits ?? {};
    byId("limits").hidden = plan === null;
    if (plan === null) return;
    write(byId("limits-title"), `Limits: ${plan}`);
    const lines = metrics.flatMap((/** @type {Metric} */ metric) => this.#line(metric) ?? []);
    this.#rows.show(lines, ({ metric }) => metric);
  }

  /** @param {Metric} metric @returns {Line | undefined} */
  #line({ metric, permitted, perMs, code, admitted, refused }) {
    const name = SHARED[metric];
    const before = this.#before?.limits.metrics.find((/** @type {Metric} */ other) => other.metric === metric);
    const refusals = refused === 0 ? "" : ` · ${number(refused)} refused`;
    const refusing = before !== undefined && refused > before.refused;
    const line = (/** @type {string} */ text, near = false) => ({
      metric,
      code,
      text: text + refusals,
      className: refusing ? "bad" : near ? "warn" : "",
    });
    if (name === undefined) return refused === 0 ? undefined : line(metric);
    if (perMs === undefined) {
      const { connected } = this.#last;
      return line(`${name} ${number(connected)} of ${number(permitted)}`, connected >= NEAR * permitted);
    }
    if (perMs === HOUR_MS) return line(`${name} ${number(admitted)} since the start, of ${number(permitted)} an hour`);
    const seconds = before === undefined ? 1 : (this.#last.now - this.#before.now) / 1000;
    const perSecond = before === undefined ? 0 : (admitted - before.admitted) / seconds;
    return line(`${name} ${rate(perSecond)} of ${number(permitted)}`, perSecond >= NEAR * permitted);
  }
}

/** @returns {import("./view.js").Row} */
function row() {
  const node = element("li");
  return {
    node,
    update: (/** @type {Line} */ { metric, code, text, className }) => {
      write(node, text);
      dress(node, className);
      node.title = `${metric}, refused with ${code}`;
    },
  };
}
