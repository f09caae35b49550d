// What a message carries, in words: JSON laid out, bytes in hexadecimal, and what is encrypted called so.

/** How much of a payload is laid out, in characters and bytes. */
const SHOWN_MAX = 20_000;
const BYTES_SHOWN_MAX = 512;
const PREVIEW_MAX = 160;

/**
 * @typedef {object} Payload
 * @property {string} kind what it is: text, JSON, binary, encrypted…
 * @property {number} bytes how long it is
 * @property {string} preview one line
 * @property {string} full all of it that can be shown
 */

/**
 * Undoes what JSON and UTF-8 did to data on the way, as a client of the channel would.
 * @param {unknown} data
 * @param {string | undefined} encoding
 * @returns {Payload}
 */
export function payload(data, encoding) {
  if (data === undefined || data === null) return { kind: "no data", bytes: 0, preview: "", full: "" };
  /** @type {string | Uint8Array} */
  let value = typeof data === "string" ? data : JSON.stringify(data);
  const steps = (encoding ?? "").split("/").filter((step) => step !== "");
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    if (step === "base64" && typeof value === "string") {
      const bytes = fromBase64(value);
      if (bytes === undefined) return text("text that is no base64", value);
      value = bytes;
    } else if (step === "utf-8") {
      if (typeof value !== "string") value = new TextDecoder().decode(value);
    } else if (step === "json" && typeof value === "string") {
      return json(value);
    } else if (step.startsWith("cipher+")) {
      return binary(`encrypted, ${step.slice("cipher+".length)}`, value);
    } else {
      return binary(`encoded as ${step}`, value);
    }
  }
  return typeof value === "string" ? text("text", value) : binary("binary", value);
}

/** @param {string} value */
function json(value) {
  try {
    // What is too long is not laid out: that alone could hold the page up.
    const full = value.length > SHOWN_MAX ? value : JSON.stringify(JSON.parse(value), undefined, 2);
    return { ...text("JSON", full), bytes: length(value), preview: line(value) };
  } catch {
    return text("text that is no JSON", value);
  }
}

/**
 * @param {string} kind
 * @param {string} value
 * @returns {Payload}
 */
function text(kind, value) {
  return { kind, bytes: length(value), preview: line(value), full: cut(value, SHOWN_MAX) };
}

/**
 * @param {string} kind
 * @param {string | Uint8Array} value
 * @returns {Payload}
 */
function binary(kind, value) {
  if (typeof value === "string") return text(kind, value);
  const hex = (/** @type {Uint8Array} */ bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const lines = [];
  for (let at = 0; at < Math.min(value.length, BYTES_SHOWN_MAX); at += 16) {
    const row = value.subarray(at, at + 16);
    const letters = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex(row).padEnd(47)}  ${letters}`);
  }
  if (value.length > BYTES_SHOWN_MAX) lines.push(`… ${value.length - BYTES_SHOWN_MAX} bytes more`);
  return { kind, bytes: value.length, preview: `${kind}: ${hex(value.subarray(0, 24))}${value.length > 24 ? " …" : ""}`, full: lines.join("\n") };
}

/** @param {string} value */
function length(value) {
  return new TextEncoder().encode(value).length;
}

/** @param {string} value */
function line(value) {
  return cut(value, PREVIEW_MAX).replace(/\s+/g, " ");
}

/**
 * @param {string} value
 * @param {number} max
 */
export function cut(value, max) {
  return value.length > max ? `${value.slice(0, max)}… (${value.length - max} characters more)` : value;
}

/** @param {string} value */
function fromBase64(value) {
  try {
    return Uint8Array.from(atob(value), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}
