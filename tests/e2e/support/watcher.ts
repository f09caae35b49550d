// Whoever reads a stream: by `fetch`, byte by byte, with nothing that would hide how it came.

import { eventually } from "./wait.ts";

/** An event of a stream. */
export interface Streamed {
  name: string;
  /** Nothing where it has none. */
  id: string | undefined;
  data: Record<string, unknown>;
}

export class Watcher {
  readonly headers: Headers;
  readonly events: Streamed[] = [];
  /** How many comments have come. */
  comments = 0;
  /** The last id that has come, as a browser would say it. */
  lastId = "";
  /** Whether it has ended, on whichever side. */
  hasEnded = false;
  readonly #stop: AbortController;

  private constructor(response: Response, stop: AbortController) {
    this.headers = response.headers;
    this.#stop = stop;
    this.#read(response).then(
      () => (this.hasEnded = true),
      () => (this.hasEnded = true),
    );
  }

  /** Opens a stream, and returns once it is answered. */
  static async open(url: string, headers: Record<string, string>): Promise<Watcher> {
    const stop = new AbortController();
    const response = await fetch(url, { headers, signal: stop.signal });
    if (response.status !== 200) throw new Error(`the stream is answered ${response.status}: ${await response.text()}`);
    return new Watcher(response, stop);
  }

  /** Waits until so many events have come. */
  async sees(count: number): Promise<void> {
    await eventually(`${count} events, after ${this.events.map(({ name }) => name)}`, () => this.events.length >= count || undefined);
  }

  close() {
    this.#stop.abort();
  }

  async #read(response: Response) {
    let text = "";
    for await (const part of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      text += part;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      blocks.forEach((block) => this.#take(block));
    }
  }

  #take(block: string) {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const [, name = "", value = ""] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
      if (name === "") this.comments += 1;
      fields.set(name, value);
    }
    const id = fields.get("id");
    if (id !== undefined) this.lastId = id;
    const data = fields.get("data");
    if (data !== undefined) this.events.push({ name: fields.get("event") ?? "message", id, data: JSON.parse(data) });
  }
}
