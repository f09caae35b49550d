// A network that can be cut, between somebody and the local Ably.

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** What becomes of connections: they work, they break at once, or they break as soon as Ably answers. */
type Mode = "open" | "cut" | "answers are lost";

export class Relay {
  /** How many connections it has broken. */
  broken = 0;
  #mode: Mode = "open";
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number, host: string) {
    this.#server = createServer((near) => {
      if (this.#mode === "cut") {
        this.broken += 1;
        near.destroy();
        return;
      }
      const far = connect(port, host);
      near.on("data", (data) => far.write(data));
      far.on("data", (data) => {
        if (this.#mode === "open") near.write(data);
        else {
          this.broken += 1;
          near.destroy();
        }
      });
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
  }

  /** Starts one that leads to a port of this machine. */
  static async to(port: number, host = "127.0.0.1"): Promise<Relay> {
    const relay = new Relay(port, host);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    return relay;
  }

  get port() {
    return (this.#server.address() as AddressInfo).port;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  open() {
    this.#mode = "open";
  }

  /** Breaks what is connected, and all that comes. */
  cut() {
    this.#mode = "cut";
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets requests through, and no answer. */
  loseAnswers() {
    this.#mode = "answers are lost";
  }

  stop() {
    this.#server.close();
    this.cut();
  }
}
