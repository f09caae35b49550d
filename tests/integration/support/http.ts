// Requests as a hostile client could send them: nothing is normalised on the way, so that what a test writes is what arrives.

import { Agent, request } from "node:http";
import { holdAnswer, holdTaken } from "./contract.ts";

/** A header that is `undefined` is not sent. */
export type Headers = Record<string, string | string[] | undefined>;

export interface Sent {
  headers?: Headers;
  /** Sent with its length; in chunks without one where it is a list. */
  body?: string | Buffer | Buffer[];
}

export class Answer {
  readonly status: number;
  readonly headers: Map<string, string[]>;
  readonly body: Buffer;

  constructor(status: number, rawHeaders: string[], body: Buffer) {
    this.status = status;
    this.headers = new Map();
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at]?.toLowerCase() ?? "";
      this.headers.set(name, [...(this.headers.get(name) ?? []), rawHeaders[at + 1] ?? ""]);
    }
    this.body = body;
  }

  /** A header's value; several of one name as one text. */
  header(name: string): string | undefined {
    return this.headers.get(name)?.join(", ");
  }

  get text(): string {
    return this.body.toString();
  }

  // Each test asserts the shape that it reads.
  get json(): any {
    return JSON.parse(this.text);
  }
}

/** No request of these tests takes this long; one that does hangs. */
const HANGS_MS = 30_000;

const STALE = new Error("the connection was closed while nothing was under way");

export class Client {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  readonly #isDescribed: (path: string) => boolean;

  /** @param isDescribed whether it is the service that answers there, which keeps to its description */
  constructor(url: URL, isDescribed = (_: string) => true) {
    this.#url = url;
    this.#isDescribed = isDescribed;
  }

  async send(method: string, path: string, sent: Sent = {}, finish = true): Promise<Answer> {
    for (;;) {
      try {
        return await this.#try(method, path, sent, finish);
      } catch (error) {
        // The server had closed a connection that was kept: it has not seen the request.
        if (error !== STALE) throw error;
      }
    }
  }

  #try(method: string, path: string, { headers = {}, body }: Sent, finish: boolean): Promise<Answer> {
    const bytes = Array.isArray(body) ? body : Buffer.from(body ?? "");
    const lengths: Headers =
      body === undefined ? {} : Array.isArray(body) ? { "transfer-encoding": "chunked" } : { "content-length": String(bytes.length) };
    const given = Object.fromEntries(Object.entries({ ...lengths, ...headers }).filter(([, value]) => value !== undefined));
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.#url;
      const outgoing = request(
        { method, path, hostname, port, agent: this.#agent, headers: given },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("end", () => {
            const answer = new Answer(incoming.statusCode ?? 0, incoming.rawHeaders, Buffer.concat(chunks));
            if (!finish) outgoing.destroy();
            try {
              if (this.#isDescribed(path)) {
                holdAnswer(method, path, answer);
                holdTaken(method, path, Array.isArray(bytes) ? Buffer.concat(bytes) : bytes, answer);
              }
              resolve(answer);
            } catch (error) {
              reject(error);
            }
          });
          incoming.on("error", reject);
        },
      );
      outgoing.setTimeout(HANGS_MS, () => outgoing.destroy(new Error(`${method} was not answered within ${HANGS_MS} ms`)));
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        reject(outgoing.reusedSocket && ["ECONNRESET", "EPIPE"].includes(error.code ?? "") ? STALE : error);
      });
      for (const chunk of Array.isArray(bytes) ? bytes : [bytes]) if (chunk.length > 0) outgoing.write(chunk);
      if (finish) outgoing.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
