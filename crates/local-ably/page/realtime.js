// A small client of the realtime protocol: connected with a token that may only read, attached to one channel at a time.
//
// However much is published, little is done for each frame when it comes: it waits unread, and of what waits too long the oldest
// goes.

const HEARTBEAT = 0;
const CONNECTED = 4;
const DISCONNECTED = 6;
const ERROR = 9;
const ATTACH = 10;
const ATTACHED = 11;
const DETACH = 12;
const DETACHED = 13;
const PRESENCE = 14;
const MESSAGE = 15;
const SYNC = 16;
const AUTH = 17;
const ANNOTATION = 21;

/** SUBSCRIBE, PRESENCE_SUBSCRIBE and ANNOTATION_SUBSCRIBE. */
const MODES = 2 ** 18 + 2 ** 19 + 2 ** 22;
const HAS_PRESENCE = 1;
const RESUMED = 4;
/** What is asked for of the time before: as much as a rewind brings. */
const REWIND = "100";
/** How many frames may wait to be read, and of how many characters together. */
const WAITING_MAX = 300;
const CHARACTERS_MAX = 8_000_000;
/** How long the server may be silent: it sends a HEARTBEAT every 15 s. */
const SILENCE_MS = 25_000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 10_000;

/** @typedef {Record<string, any>} Frame */

/**
 * @typedef {object} Listener
 * @property {(state: string, good: boolean) => void} state how the connection does, and the attachment
 * @property {() => void} arrived there are frames to read
 * @property {(frame: Frame) => void} presence PRESENCE or SYNC
 * @property {(hasPresence: boolean, resumed: boolean) => void} attached
 */

export class Realtime {
  #token;
  #listener;
  /** @type {WebSocket | undefined} */
  #socket;
  #connected = false;
  /** @type {string | undefined} */
  #channel;
  /** @type {string | undefined} where to go on after a lost connection */
  #channelSerial;
  /** @type {string[]} */
  #waiting = [];
  #characters = 0;
  #dropped = 0;
  #tries = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;
  #generation = 0;
  /** The id of this page's own connection, while there is one. */
  connectionId = "";

  /**
   * @param {() => Promise<string>} token
   * @param {Listener} listener
   */
  constructor(token, listener) {
    this.#token = token;
    this.#listener = listener;
    void this.#connect();
  }

  /** Ends it all. */
  close() {
    this.#generation += 1;
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#socket?.close();
  }

  /**
   * Attaches to a channel instead of the one before.
   * @param {string} channel
   */
  watch(channel) {
    if (this.#channel !== undefined && this.#connected) this.#send({ action: DETACH, channel: this.#channel });
    this.#channel = channel;
    this.#channelSerial = undefined;
    this.#waiting = [];
    this.#characters = 0;
    this.#dropped = 0;
    this.#attach();
  }

  /**
   * The frames that have come since the last time, oldest first, and how many came besides.
   * @returns {{ frames: Frame[], dropped: number }}
   */
  read() {
    const frames = this.#waiting.map((text) => JSON.parse(text)).filter((frame) => frame.channel === this.#channel);
    const dropped = this.#dropped;
    this.#waiting = [];
    this.#characters = 0;
    this.#dropped = 0;
    this.#channelSerial = frames.at(-1)?.channelSerial ?? this.#channelSerial;
    return { frames, dropped };
  }

  async #connect() {
    const generation = ++this.#generation;
    this.#listener.state("connecting", false);
    try {
      const token = await this.#token();
      if (generation !== this.#generation) return;
      // The protocol leaves a browser no other way: but what stands in this query may only read, and not for long.
      const query = new URLSearchParams({ v: "6", format: "json", heartbeats: "true", agent: "local-ably-page/1", access_token: token });
      const socket = (this.#socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/?${query}`));
      const mine = () => generation === this.#generation;
      socket.onmessage = ({ data }) => mine() && typeof data === "string" && this.#receive(data);
      socket.onclose = () => mine() && this.#lost("the connection was lost");
      this.#listen();
    } catch (error) {
      if (generation === this.#generation) this.#lost(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {string} why */
  #lost(why) {
    this.#generation += 1;
    this.#connected = false;
    this.connectionId = "";
    clearTimeout(this.#silence);
    this.#socket?.close();
    this.#socket = undefined;
    this.#listener.state(why, false);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#connect(), Math.min(RETRY_MIN_MS * 2 ** this.#tries, RETRY_MAX_MS));
    this.#tries += 1;
  }

  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost("the server is silent"), SILENCE_MS);
  }

  /** @param {Frame} frame */
  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #attach() {
    if (this.#channel === undefined || !this.#connected) return;
    const place = this.#channelSerial === undefined ? { params: { rewind: REWIND } } : { channelSerial: this.#channelSerial };
    this.#send({ action: ATTACH, channel: this.#channel, flags: MODES, ...place });
  }

  /** @param {string} text */
  #receive(text) {
    this.#listen();
    // The server writes the action first.
    if (text.startsWith(`{"action":${MESSAGE},`) || text.startsWith(`{"action":${ANNOTATION},`)) {
      this.#keep(text);
      return;
    }
    const frame = /** @type {Frame} */ (JSON.parse(text));
    if (frame.channel !== undefined && frame.channel !== this.#channel) return;
    switch (frame.action) {
      case CONNECTED:
        this.#tries = 0;
        if (this.#connected) return;
        this.#connected = true;
        this.connectionId = frame.connectionId;
        this.#listener.state("connected", true);
        this.#attach();
        return;
      case ATTACHED:
        this.#channelSerial ??= frame.channelSerial;
        this.#listener.attached((frame.flags & HAS_PRESENCE) !== 0, (frame.flags & RESUMED) !== 0);
        this.#listener.state("attached", true);
        return;
      case PRESENCE:
      case SYNC:
        this.#listener.presence(frame);
        return;
      case AUTH:
        void this.#token().then((token) => this.#send({ action: AUTH, auth: { accessToken: token } }), () => {});
        return;
      case DETACHED:
        this.#attach();
        return;
      case DISCONNECTED:
        this.#lost(said(frame));
        return;
      case ERROR:
        if (frame.channel === undefined) this.#lost(said(frame));
        else this.#listener.state(said(frame), false);
        return;
      case HEARTBEAT:
      default:
    }
  }

  /** @param {string} text */
  #keep(text) {
    this.#waiting.push(text);
    this.#characters += text.length;
    while (this.#waiting.length > WAITING_MAX || (this.#characters > CHARACTERS_MAX && this.#waiting.length > 1)) {
      this.#characters -= this.#waiting.shift()?.length ?? 0;
      this.#dropped += 1;
    }
    this.#listener.arrived();
  }
}

/** @param {Frame} frame */
function said({ error }) {
  return error === undefined ? "the server ended the connection" : `${error.code}: ${error.message}`;
}
