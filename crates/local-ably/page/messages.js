// The messages of the chosen channel: the last few hundred, newest first. While somebody reads, nothing moves.

import { cut, payload } from "./payload.js";
import { byId, clock, dress, element, facts, number, Rows, size, write } from "./view.js";

/** How many are kept, and of how many characters together. */
const KEPT_MAX = 500;
const CHARACTERS_MAX = 4_000_000;
/** How many are on the page, and how many of one frame are kept. */
const SHOWN_MAX = 150;
const OF_FRAME_MAX = 200;
/** How often the page is drawn anew, in milliseconds: at most, and so that drawing takes no more than a part of the time. */
const EVERY_MS = 200;
const PART = 4;
/** How much of a message a filter looks at, in characters. */
const SEARCHED_MAX = 4_000;

const ACTIONS = ["", "update", "delete", "meta", "summary", "append"];

/**
 * @typedef {object} Item
 * @property {string} key
 * @property {number} at
 * @property {string} kind what it is besides a message that was published
 * @property {Record<string, any>} message
 * @property {number} characters
 * @property {string} [searched]
 */

export class Messages {
  #list = byId("messages-list");
  #count = byId("messages-count");
  #more = /** @type {HTMLButtonElement} */ (byId("show-new"));
  #rows;
  #read;
  #who;
  /** @type {Item[]} oldest first */
  #kept = [];
  #characters = 0;
  #seen = 0;
  /** Frames that came too fast to be read. */
  #passed = 0;
  #filter = "";
  #paused = false;
  #next = 0;
  /** How many there were when the page was last drawn. */
  #drawn = 0;
  /** How long to wait before it is drawn again. */
  #wait = EVERY_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {() => { frames: Record<string, any>[], dropped: number }} read takes what has come
   * @param {(connectionId: string | undefined) => string} who names the connection that published
   */
  constructor(read, who) {
    this.#read = read;
    this.#who = who;
    this.#rows = new Rows(this.#list, () => this.#row());
    this.#more.addEventListener("click", () => {
      for (const open of this.#list.querySelectorAll("details[open]")) open.removeAttribute("open");
      this.#list.scrollTop = 0;
      this.#draw(true);
      this.#list.querySelector("summary")?.focus();
      this.#list.scrollTop = 0;
    });
    this.#list.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.#list.addEventListener("focusout", () => this.#soon());
    this.#list.addEventListener("toggle", () => this.#soon(), { capture: true });
  }

  /** Something has come. */
  arrived() {
    this.#soon();
  }

  /** Forgets all: another channel is shown. */
  clear() {
    this.#kept = [];
    this.#characters = 0;
    this.#seen = 0;
    this.#passed = 0;
    this.#draw(true);
  }

  /** @param {string} filter in lower case */
  filter(filter) {
    this.#filter = filter;
    this.#draw(true);
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.#paused = paused;
    this.#soon();
  }

  #soon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const started = performance.now();
      this.#take();
      this.#draw(false);
      this.#wait = Math.max(EVERY_MS, PART * (performance.now() - started));
    }, this.#wait);
  }

  #take() {
    const { frames, dropped } = this.#read();
    this.#passed += dropped;
    for (const frame of frames) {
      const all = frame.messages ?? frame.annotations ?? [];
      const messages = all.slice(-OF_FRAME_MAX);
      this.#seen += all.length;
      for (const [index, message] of messages.entries()) {
        const characters = JSON.stringify(message.data ?? "").length + JSON.stringify(message.extras ?? "").length;
        this.#characters += characters;
        this.#kept.push({
          key: String((this.#next += 1)),
          at: message.timestamp ?? frame.timestamp ?? Date.now(),
          kind: frame.annotations === undefined ? (ACTIONS[message.action] ?? "") : message.action === 1 ? "annotation withdrawn" : "annotation",
          message: { id: frame.id === undefined ? undefined : `${frame.id}:${index}`, connectionId: frame.connectionId, ...message },
          characters,
        });
      }
    }
    const surplus = () => this.#kept.length > KEPT_MAX || (this.#characters > CHARACTERS_MAX && this.#kept.length > 1);
    while (surplus()) this.#characters -= this.#kept.shift()?.characters ?? 0;
  }

  /** Whether somebody reads, who must not be disturbed. */
  #isRead() {
    return (
      this.#paused ||
      this.#list.scrollTop > 4 ||
      this.#list.querySelector("details[open]") !== null ||
      this.#list.contains(document.activeElement)
    );
  }

  /** @param {boolean} now although somebody reads */
  #draw(now) {
    const total = this.#seen + this.#passed;
    const passed = this.#passed === 0 ? "" : `, and ${number(this.#passed)} frames too fast to be read`;
    write(this.#count, total === 0 ? "" : `${number(this.#seen)} since it was chosen${passed}; the last ${number(this.#kept.length)} kept`);
    if (!now && this.#isRead()) {
      const news = total - this.#drawn;
      this.#more.disabled = news === 0;
      write(this.#more, news === 0 ? "Nothing new above" : `${number(news)} new: show them`);
      return;
    }
    this.#drawn = total;
    this.#more.disabled = true;
    write(this.#more, "Nothing new above");
    const shown = [];
    for (let index = this.#kept.length - 1; index >= 0 && shown.length < SHOWN_MAX; index -= 1) {
      const item = this.#kept[index];
      if (item !== undefined && this.#matches(item)) shown.push(item);
    }
    this.#rows.show(shown, (item) => item.key);
  }

  /** @param {Item} item */
  #matches(item) {
    if (this.#filter === "") return true;
    item.searched ??= this.#searched(item);
    return item.searched.includes(this.#filter);
  }

  /** @param {Item} item */
  #searched({ message, kind }) {
    const { name, clientId, connectionId, data, encoding } = message;
    const text = [name, clientId, connectionId, kind, cut(payload(data, encoding).full, SEARCHED_MAX)];
    return text.join("\n").toLowerCase();
  }

  /** @returns {import("./view.js").Row} */
  #row() {
    const [time, name, from, length, data] = ["time", "name", "from", "size", "data"].map((name) => element("span", name));
    const summary = element("summary", "", .../** @type {HTMLElement[]} */ ([time, name, from, length, data]));
    const details = element("details", "", summary);
    const node = element("li", "", details);
    /** @type {Item | undefined} */
    let shown;
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1 && shown !== undefined) details.append(...this.#whole(shown));
    });
    return {
      node,
      update: (/** @type {Item} */ item) => {
        if (shown === item) return;
        shown = item;
        const { message, kind } = item;
        const { kind: what, bytes, preview } = payload(message.data, message.encoding);
        const title = message.name ?? message.type ?? "no name";
        write(/** @type {HTMLElement} */ (time), clock(item.at));
        write(/** @type {HTMLElement} */ (name), kind === "" ? title : `${title} (${kind})`);
        dress(/** @type {HTMLElement} */ (name), message.name === undefined ? "name dim" : "name");
        write(/** @type {HTMLElement} */ (from), message.clientId ?? this.#who(message.connectionId));
        write(/** @type {HTMLElement} */ (length), size(bytes));
        write(/** @type {HTMLElement} */ (data), preview === "" ? what : preview);
      },
    };
  }

  /** @param {Item} item */
  #whole({ message }) {
    const { data, encoding, extras, version, annotations } = message;
    const { kind, bytes, full } = payload(data, encoding);
    const json = (/** @type {unknown} */ value) => (value === undefined ? undefined : cut(JSON.stringify(value), 2_000));
    return [
      facts([
        ["from", `${message.clientId ?? "no clientId"}, ${this.#who(message.connectionId)}`],
        ["connection", message.connectionId],
        ["data", `${kind}, ${number(bytes)} bytes`],
        ["encoding", encoding],
        ["id", message.id],
        ["serial", message.serial],
        ["message", message.messageSerial],
        ["version", version?.serial === message.serial ? undefined : json(version)],
        ["extras", json(extras)],
        ["annotations", json(annotations)],
      ]),
      element("pre", "", full),
    ];
  }
}
