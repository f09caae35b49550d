// A reader of server-sent events that keeps all that it was sent, as it came.

import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { holdAnswer, holdEvent } from "./contract.ts";
import { until } from "./until.ts";
import { Answer } from "./http.ts";
import type { Headers } from "./http.ts";

export interface Event {
  name: string;
  id: string | undefined;
  data: any;
  /** When it came, by `performance.now()`. */
  at: number;
}

export class Stream {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly events: Event[] = [];
  /** How many comments have come. */
  comments = 0;
  /** What `retry` was set to last. */
  retry: number | undefined;
  /** Whether the server has ended it. */
  ended = false;
  /** The whole text. */
  text = "";
  readonly #incoming: IncomingMessage;
  #rest = "";

  private constructor(incoming: IncomingMessage, path: string) {
    this.#incoming = incoming;
    this.status = incoming.statusCode ?? 0;
    this.headers = incoming.headers;
    incoming.setEncoding("utf8");
    incoming.on("data", (text: string) => this.#read(text));
    incoming.on("end", () => (this.ended = true));
    const held = () => holdAnswer("GET", path, new Answer(this.status, incoming.rawHeaders, Buffer.from(this.text)));
    // Of a stream the head alone is an answer.
    if (this.status === 200) held();
    else incoming.on("end", held);
    incoming.on("error", () => (this.ended = true));
  }

  /** Opens one, once its head has come. */
  static open(url: URL, path: string, headers: Headers = {}): Promise<Stream> {
    const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
    return new Promise((resolve, reject) => {
      const outgoing = request(new URL(path, url), { headers: given, agent: false }, (incoming) => resolve(new Stream(incoming, path)));
      outgoing.on("error", reject);
      outgoing.end();
    });
  }

  /** So many events, once they have come. */
  async take(count: number): Promise<Event[]> {
    await until(`${count} events, of which there are ${this.events.length}`, () => this.events.length >= count || this.ended);
    if (this.events.length < count) throw new Error(`it has ended after ${this.events.map(({ name }) => name).join(", ")}`);
    return this.events.slice(0, count);
  }

  /** The reason with which it has ended, once it has. */
  async end(timeoutMs?: number): Promise<string> {
    await until(`the end, after ${this.events.map(({ name }) => name).join(", ")}`, () => this.ended, timeoutMs);
    const last = this.events.at(-1);
    if (last?.name !== "end") throw new Error(`it has ended with ${last?.name}`);
    return last.data.reason;
  }

  /** The id by which a client goes on. */
  get lastId(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id;
  }

  /** Takes no more, as a client that hangs. */
  pause(): void {
    this.#incoming.pause();
  }

  resume(): void {
    this.#incoming.resume();
  }

  close(): void {
    this.#incoming.destroy();
  }

  #read(text: string): void {
    this.text += text;
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = block.split("\n").map((line) => /^([^:]*):? ?(.*)$/.exec(line)?.slice(1) ?? []);
      const value = (name: string) => fields.find(([field]) => field === name)?.[1];
      this.comments += fields.filter(([field]) => field === "").length;
      if (value("retry") !== undefined) this.retry = Number(value("retry"));
      const data = fields.filter(([field]) => field === "data").map(([, line]) => line);
      if (data.length === 0) continue;
      const event = { name: value("event") ?? "message", id: value("id"), data: JSON.parse(data.join("\n")), at: performance.now() };
      holdEvent(event.name, event.data);
      this.events.push(event);
    }
  }
}
