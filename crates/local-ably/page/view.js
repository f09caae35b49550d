// What is drawn, and how: only ever as text, and only where it has changed.

/**
 * An element. Its children are elements, or texts; nothing is ever read as HTML.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  made.append(...children);
  return made;
}

/**
 * The element that the document has under an id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * Writes a text, unless it stands there already: so that what is selected stays so, and nothing is laid out in vain.
 * @param {Element} node
 * @param {string} text
 */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {Element} node
 * @param {string} className
 */
export function dress(node, className) {
  if (node.className !== className) node.className = className;
}

/** @typedef {{ node: HTMLElement, update: (item: any) => void }} Row */

/** The rows of a list, by their keys: each stays itself for as long as its item is there. */
export class Rows {
  #parent;
  #make;
  /** @type {Map<string, Row>} */
  #rows = new Map();

  /**
   * @param {HTMLElement} parent
   * @param {() => Row} make
   */
  constructor(parent, make) {
    this.#parent = parent;
    this.#make = make;
  }

  /**
   * @template T
   * @param {T[]} items
   * @param {(item: T) => string} keyOf
   */
  show(items, keyOf) {
    const gone = new Set(this.#rows.keys());
    const nodes = items.map((item) => {
      const key = keyOf(item);
      gone.delete(key);
      let row = this.#rows.get(key);
      if (row === undefined) this.#rows.set(key, (row = this.#make()));
      row.update(item);
      return row.node;
    });
    for (const key of gone) {
      this.#rows.get(key)?.node.remove();
      this.#rows.delete(key);
    }
    let next = this.#parent.firstElementChild;
    for (const node of nodes) {
      if (node === next) next = next.nextElementSibling;
      else this.#parent.insertBefore(node, next);
    }
  }
}

/**
 * Facts as a description list; what is not known is left out.
 * @param {[string, string | undefined | null][]} facts
 */
export function facts(facts) {
  const list = element("dl", "facts");
  for (const [name, value] of facts) {
    if (value !== undefined && value !== null && value !== "") list.append(element("dt", "", name), element("dd", "", value));
  }
  return list;
}

/** @param {number} at Unix milliseconds */
export function clock(at) {
  const date = new Date(at);
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** @param {number} millis a span */
export function span(millis) {
  const seconds = Math.max(0, Math.round(millis / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {number} count */
export function number(count) {
  return Math.round(count).toLocaleString("en");
}

/** @param {number} perSecond */
export function rate(perSecond) {
  return `${perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : number(perSecond)}/s`;
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes < 10_000 ? `${bytes} B` : `${(bytes / 1024).toFixed(0)} KiB`;
}
