// The channels, who is attached, the connections and the refusals: what the inspector tells.

import { byId, clock, dress, element, number, rate, Rows, span, write } from "./view.js";

/** How many refusals are kept. */
const REFUSALS_MAX = 200;
/** When the end of a token is near, in milliseconds. */
const SOON_MS = 30_000;

const MEANS = /** @type {Record<string, string>} */ ({
  http: "answered over HTTP",
  connect: "no connection",
  nack: "NACK",
  error: "ERROR",
  disconnected: "DISCONNECTED",
  lost: "not resumed",
});

/** @typedef {{ chosen: string, attachment: { text: string, good: boolean }, rates: import("./rates.js").Rates }} Beside */

export class Panels {
  #choose;
  #filter = "";
  #started = 0;
  /** @type {any[]} newest first */
  #refusals = [];
  /** @type {Map<string, string>} the connections that were seen last, by id */
  #names = new Map();
  #channels;
  #attached = new Rows(byId("attached-list"), attachedRow);
  #connections;
  #refused;

  /** @param {(channel: string) => void} choose */
  constructor(choose) {
    this.#choose = choose;
    const list = byId("channels-list");
    this.#channels = new Rows(list, () => this.#channelRow());
    this.#connections = new Rows(byId("connections-list"), () => this.#connectionRow());
    this.#refused = new Rows(byId("refusals-list"), () => this.#refusalRow());
    list.addEventListener("keydown", walk);
  }

  /** @param {string} filter in lower case */
  filter(filter) {
    this.#filter = filter;
  }

  /**
   * Takes in what stands in no later snapshot.
   * @param {any} snapshot
   */
  remember({ started, refusals, app }) {
    if (started !== this.#started) {
      this.#started = started;
      this.#refusals = [];
    }
    const known = new Set(this.#refusals.map(({ seq }) => seq));
    const news = refusals.shown.filter((/** @type {any} */ { seq }) => !known.has(seq));
    this.#refusals = [...news.reverse(), ...this.#refusals].slice(0, REFUSALS_MAX);
    this.#names = new Map((app?.connections.shown ?? []).map((/** @type {any} */ { id, agent }) => [id, agent]));
  }

  /**
   * The connection that a message came by.
   * @param {string | undefined} id
   */
  who(id) {
    if (id === undefined) return "over REST";
    const agent = this.#names.get(id);
    return agent ? `${id}, ${agent}` : id;
  }

  /**
   * @param {any} snapshot
   * @param {Beside} beside
   */
  draw(snapshot, beside) {
    const { app, now } = snapshot;
    this.#drawChannels(app, beside);
    this.#drawAttached(app?.channel ?? undefined, beside);
    this.#drawConnections(app, now, beside);
    this.#drawRefusals(snapshot.refusals.total, app?.id);
  }

  /** @param {any} app @param {Beside} beside */
  #drawChannels(app, { chosen, rates }) {
    const { total = 0, matching = 0, shown = [] } = app?.channels ?? {};
    write(byId("channels-count"), counted(total, matching, shown.length));
    const rows = shown.map((/** @type {any} */ channel, /** @type {number} */ index) => ({
      ...channel,
      chosen: channel.name === chosen,
      // One of them is reached by Tab, and from there the others by the arrow keys.
      first: shown.some((/** @type {any} */ { name }) => name === chosen) ? channel.name === chosen : index === 0,
      rate: rates.ofChannel(channel.name),
    }));
    this.#channels.show(rows, ({ name }) => name);
  }

  /** @returns {import("./view.js").Row} */
  #channelRow() {
    const [name, perSecond, who] = [element("span", "name"), element("span", "rate"), element("span", "who")];
    const button = element("button", "", name, perSecond, who);
    button.type = "button";
    button.addEventListener("click", () => this.#choose(name.textContent ?? ""));
    return {
      node: element("li", "", button),
      update: (channel) => {
        write(name, channel.name);
        write(perSecond, channel.rate === 0 ? `${number(channel.traffic.published)}` : rate(channel.rate));
        const rules = [channel.rules.persisted && "persisted", channel.rules.mutable && "mutable"].filter(Boolean);
        write(who, [`${channel.attached} attached`, `${channel.members} present`, ...rules].join(" · "));
        button.title = `${number(channel.traffic.published)} published, ${number(channel.traffic.delivered)} delivered`;
        button.setAttribute("aria-current", String(channel.chosen));
        button.tabIndex = channel.first ? 0 : -1;
      },
    };
  }

  /** @param {any} channel @param {Beside} beside */
  #drawAttached(channel, { chosen, attachment }) {
    const { total = 0, shown = [] } = channel?.attached ?? {};
    const others = shown.filter((/** @type {any} */ { page }) => !page);
    const receivers = others.filter((/** @type {any} */ { subscribes }) => subscribes).length;
    const pages = shown.length - others.length;
    write(byId("attached-count"), chosen === "" ? "" : counted(total - pages, total - pages, others.length));
    this.#attached.show(others, ({ connectionId, channel }) => JSON.stringify([connectionId, channel]));
    const line = byId("channel-line");
    if (chosen === "") {
      write(line, "Choose a channel to see its messages.");
    } else if (attachment.good) {
      const most = total > shown.length ? "more than " : "";
      write(line, `“${chosen}”: ${others.length === 0 ? "nobody is attached" : `${most}${receivers} of ${most}${others.length} attached receive messages`}`);
    } else {
      write(line, `“${chosen}”: this page is not attached: ${attachment.text}`);
    }
    dress(line, !attachment.good ? "line bad" : chosen !== "" && receivers === 0 ? "line warn" : "line");
  }

  /** @param {any} app @param {number} now @param {Beside} beside */
  #drawConnections(app, now, { rates }) {
    const { connected = 0, lost = 0, matching = 0, shown = [] } = app?.connections ?? {};
    const more = matching > shown.length ? `, ${number(shown.length)} shown: filter for others` : "";
    write(byId("connections-count"), `${number(connected)}${lost > 0 ? `, and ${number(lost)} lost that may resume` : ""}${more}`);
    const rows = shown.map((/** @type {any} */ connection) => ({ ...connection, now, frames: rates.ofConnection(connection.id) }));
    this.#connections.show(rows, ({ id }) => id);
  }

  /** @returns {import("./view.js").Row} */
  #connectionRow() {
    const name = element("strong");
    const [state, id, own] = [element("span", "badge"), element("span", "mono dim"), element("span", "badge")];
    const [key, token, client] = [element("p", "small"), element("p", "small"), element("p", "small dim")];
    const attached = element("div");
    const capability = element("pre");
    const about = element("summary", "small", "Capability");
    /** @type {Record<string, string>} what stands in the parts that are only made anew when they change */
    const before = {};
    const renew = (/** @type {string} */ part, /** @type {unknown} */ value, /** @type {() => void} */ make) => {
      const text = JSON.stringify(value);
      if (before[part] === text) return;
      before[part] = text;
      make();
    };
    return {
      node: element("li", "", element("div", "head", name, state, id, own), key, token, client, attached, element("details", "", about, capability)),
      update: (connection) => {
        write(name, identity(connection.clientId));
        write(id, connection.id);
        own.hidden = !connection.page;
        write(own, connection.page ? "this page, or another tab of it" : "");
        const lost = connection.lost !== null;
        write(state, lost ? `lost ${span(connection.now - connection.lost)} ago, may resume for ${span(connection.resumableFor)}` : "connected");
        dress(state, lost ? "badge warn" : "badge good");
        write(key, connection.key === null ? "" : `key ${connection.key}`);
        this.#drawToken(token, connection);
        const { received, sent } = connection.frames;
        const waiting = connection.waiting > 0 ? ` · ${number(connection.waiting)} frames wait to be read by it` : "";
        const format = connection.format.endsWith("msgpack") ? "MessagePack" : "JSON";
        write(client, `${connection.agent ?? "no agent"} · ${format}${connection.echo ? "" : " · no echo"} · since ${clock(connection.since).slice(0, 8)} · in ${rate(received)}, out ${rate(sent)}${waiting}`);
        renew("attached", connection.attached, () => attached.replaceChildren(...this.#attachments(connection.attached)));
        renew("capability", connection.capability, () => write(capability, typeof connection.capability === "string" ? connection.capability : lines(connection.capability)));
      },
    };
  }

  /** @param {HTMLElement} node @param {any} connection */
  #drawToken(node, { expires, now }) {
    if (expires === null) {
      write(node, "by the key itself, which does not expire");
      dress(node, "small dim");
      return;
    }
    const left = expires - now;
    write(node, left <= 0 ? "its token has expired" : `its token expires in ${span(left)}, at ${clock(expires).slice(0, 8)}`);
    dress(node, left <= 0 ? "small bad" : left <= SOON_MS ? "small warn" : "small");
  }

  /** @param {any} attached */
  #attachments({ total, shown }) {
    if (total === 0) return [element("p", "small warn", "attached to nothing")];
    const rows = shown.map((/** @type {any} */ seat) => element("div", "small", "attached to ", this.#channelButton(seat.channel), chips(seat)));
    return total > shown.length ? [...rows, element("p", "small dim", `and to ${total - shown.length} more`)] : rows;
  }

  /** @param {string} channel */
  #channelButton(channel) {
    const button = element("button", "badge", channel);
    button.type = "button";
    // A name with a qualifier is another way to attach to the same channel.
    button.addEventListener("click", () => this.#choose(channel.replace(/^\[\?[^\]]*\]/, "")));
    return button;
  }

  /** @param {number} total @param {string | undefined} app */
  #drawRefusals(total, app) {
    const ofApp = this.#refusals.filter((refusal) => refusal.app === undefined || refusal.app === app);
    const shown = ofApp.filter((refusal) => Object.values(refusal).join("\n").toLowerCase().includes(this.#filter));
    write(byId("refusals-count"), total === 0 ? "none" : `${number(total)} since the start${shown.length < ofApp.length ? `, ${shown.length} match` : ""}`);
    this.#refused.show(shown, ({ seq }) => String(seq));
  }

  /** @returns {import("./view.js").Row} */
  #refusalRow() {
    const [time, code, means] = [element("span", "time"), element("strong", "bad"), element("span", "badge")];
    const [reason, who] = [element("p"), element("p", "small dim")];
    let done = false;
    return {
      node: element("li", "", element("div", "head", time, code, means), reason, who),
      update: (refusal) => {
        if (done) return;
        done = true;
        write(time, clock(refusal.at));
        write(code, `${refusal.code}/${refusal.status}`);
        write(means, MEANS[refusal.means] ?? refusal.means);
        write(reason, refusal.reason);
        const told = [
          refusal.channel !== undefined && `channel “${refusal.channel}”`,
          refusal.clientId !== undefined && `clientId “${refusal.clientId}”`,
          refusal.connectionId !== undefined && `connection ${refusal.connectionId}`,
          refusal.key !== undefined && `key ${refusal.key}`,
          refusal.request,
        ].filter(Boolean);
        write(who, told.join(" · "));
      },
    };
  }
}

/** @returns {import("./view.js").Row} */
function attachedRow() {
  const [name, id, agent] = [element("strong"), element("span", "mono dim"), element("span", "small dim")];
  const verdict = element("p", "small");
  const modes = element("div");
  let before = "";
  return {
    node: element("li", "", element("div", "head", name, id, agent), verdict, modes),
    update: (seat) => {
      write(name, identity(seat.clientId));
      write(id, seat.connectionId);
      write(agent, seat.agent ?? "");
      const denied = seat.denied.includes("subscribe");
      write(
        verdict,
        seat.subscribes
          ? "receives messages"
          : denied
            ? "receives no messages: its capability does not allow subscribe here"
            : "receives no messages: it attached without the subscribe mode",
      );
      dress(verdict, seat.subscribes ? "small good" : "small bad");
      const text = JSON.stringify([seat.modes, seat.denied, seat.params]);
      if (text !== before) modes.replaceChildren(chips(seat));
      before = text;
    },
  };
}

/** The modes in effect, those that were asked for in vain, and the parameters. @param {any} seat */
function chips({ modes, denied, params }) {
  const all = element("span", "chips");
  for (const mode of modes) all.append(element("span", "", mode));
  for (const mode of denied) {
    const chip = element("span", "off", mode);
    chip.title = "asked for, and not allowed by the capability";
    all.append(chip);
  }
  // The modes that were asked for by a parameter are there already.
  for (const [name, value] of Object.entries(params)) if (name !== "modes") all.append(element("span", "param", `${name}=${value}`));
  return all;
}

/** @param {string | null} clientId */
function identity(clientId) {
  if (clientId === null) return "no clientId";
  return clientId === "*" ? "any clientId (*)" : clientId;
}

/** A capability, a resource a line. @param {Record<string, string[]>} capability */
function lines(capability) {
  return Object.entries(capability ?? {})
    .map(([resource, operations]) => `${resource}: ${operations.join(", ")}`)
    .join("\n");
}

/** @param {number} total @param {number} matching @param {number} shown */
function counted(total, matching, shown) {
  const of = matching === total ? "" : `${number(matching)} of `;
  return `${of}${number(total)}${shown < matching ? `, ${number(shown)} shown: filter for others` : ""}`;
}

/** Moves the focus among the rows by the arrow keys. @param {KeyboardEvent} event */
function walk(event) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0 || !(event.currentTarget instanceof HTMLElement)) return;
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
  buttons[Math.min(Math.max(at + step, 0), buttons.length - 1)]?.focus();
  event.preventDefault();
}
