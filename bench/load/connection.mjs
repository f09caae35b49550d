// A connection that is kept, with one request at a time: as much of HTTP/1.1 as servers answer with here.

import { connect } from "node:net";
import { LOOPBACK } from "../../scripts/dev/ports.mjs";

const END_OF_HEAD = "\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";

/** @typedef {{ status: number, body: string }} Answer its body as it came, in chunks where the server sends it so */

export class Connection {
  #socket;
  #text = "";
  /** @type {{ resolve: (answer: Answer) => void, reject: (error: Error) => void } | undefined} */
  #waiting;

  /** @param {import("node:net").Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (/** @type {any} */ text) => this.#receive(String(text)));
    const broken = (/** @type {Error | undefined} */ error) => {
      this.#waiting?.reject(error ?? new Error("the server closed the connection"));
      this.#waiting = undefined;
    };
    socket.on("error", broken);
    socket.on("close", () => broken(undefined));
  }

  /**
   * @param {number} port
   * @returns {Promise<Connection>}
   */
  static open(port) {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: LOOPBACK }, () => resolve(new Connection(socket)));
      socket.once("error", reject);
    });
  }

  /**
   * Sends a request, and tells its answer once all of that has come.
   * @param {string} request
   * @returns {Promise<Answer>}
   */
  send(request) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close() {
    this.#socket.destroy();
  }

  /** @param {string} text */
  #receive(text) {
    this.#text += text;
    const end = this.#text.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const head = this.#text.slice(0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const isWhole = length === undefined ? this.#text.endsWith(LAST_CHUNK) : this.#text.length >= end + END_OF_HEAD.length + Number(length);
    if (!isWhole) return;
    const body = this.#text.slice(end + END_OF_HEAD.length);
    this.#text = "";
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}
