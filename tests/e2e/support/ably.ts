// The Ably that a run of the tests uses: the local one, started here, or Ably itself where `npm run test:e2e` gives a key.

import { randomBytes } from "node:crypto";
import type { ClientOptions } from "ably";
import { listening as listeningPlace, revocable } from "../../../scripts/dev/bring-up.mjs";
import { ablyAddress } from "../../../scripts/dev/facts.mjs";
import { Parts } from "../../../scripts/dev/parts.mjs";
import { environment } from "../../../scripts/setup/environment.mjs";
import { within } from "./wait.ts";

/** Where clients find Ably: options of the `ably` client. */
export type Address = Pick<ClientOptions, "endpoint" | "port" | "tlsPort" | "tls">;

export interface Ably {
  /** `appId.keyId:secret`, with every right. */
  key: string;
  /** The service's settings that say where Ably is and which keys it uses. */
  settings: Record<string, string>;
  address: Address;
  /** What its processes said last, for a test that failed. */
  log: string[];
  stop(): Promise<void>;
}

/** One of the limits of Ably's packages, as the local Ably tells of it. */
export interface Limit {
  metric: string;
  admitted: number;
  refused: number;
}

/** A connection, as the local Ably tells of it. */
export interface Connected {
  clientId: string | null;
  /** What it is attached to. */
  channels: string[];
}

/** Whether this run is against Ably itself. */
export const ABLY_ITSELF = Boolean(process.env.ABLY_API_KEY);

/** The Ably of this run. */
export async function startAbly(): Promise<Ably> {
  return ablyItself() ?? (await LocalAbly.start());
}

/** What is read of its line about a connection. */
interface Seen {
  clientId: string | null;
  page: boolean;
  lost: number | null;
  attached: { shown: { channel: string }[] };
}

function ablyItself(): Ably | undefined {
  const { ABLY_API_KEY: key, ABLY_PUBLISH_KEY: publishKey, ABLY_REST_URL: restUrl } = process.env;
  if (!key) return undefined;
  return {
    key,
    settings: {
      ABLY_API_KEY: key,
      ...(publishKey && { ABLY_PUBLISH_KEY: publishKey }),
      ...(restUrl && { ABLY_REST_URL: restUrl }),
    },
    address: restUrl ? addressOf(restUrl) : {},
    log: [],
    stop: async () => {},
  };
}

function addressOf(url: string): Address {
  const { endpoint, port, tls } = ablyAddress(url);
  return { endpoint, tls, ...(tls ? { tlsPort: port } : { port }) };
}

/** The local Ably, with a key of its own. It can be restarted at the port where it was, which forgets everything but the key. */
export class LocalAbly implements Ably {
  readonly key: string;
  readonly log: string[] = [];
  readonly #options: string[];
  readonly #controlSecret = randomBytes(16).toString("hex");
  #parts = new Parts();
  #url = "";

  private constructor(key: string, options: string[]) {
    this.key = key;
    this.#options = options;
  }

  /** Starts one, with further options if any are given. */
  static async start(...options: string[]): Promise<LocalAbly> {
    const random = (bytes: number) => randomBytes(bytes).toString("hex");
    const ably = new LocalAbly(`e2e${random(2)}.${random(3)}:${random(16)}`, options);
    await ably.#run("0");
    return ably;
  }

  get settings() {
    return { ABLY_API_KEY: this.key, ABLY_REST_URL: this.#url };
  }

  get address() {
    return addressOf(this.#url);
  }

  /** Host and port where it listens. */
  get port() {
    return Number(new URL(this.#url).port);
  }

  /** How much each of its limits has let through and refused, where it was started with `--limits`. */
  async limits(): Promise<Limit[]> {
    const response = await fetch(`${this.#url}/control/limits`, { headers: { authorization: `Bearer ${this.#controlSecret}` } });
    if (!response.ok) throw new Error(`the local Ably tells of no limits: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { metrics: Limit[] }).metrics;
  }

  /** The connections that are open now, of a client or of all. */
  async connections(clientId?: string): Promise<Connected[]> {
    const headers = { authorization: `Bearer ${this.#controlSecret}`, "content-type": "application/json" };
    const looking = new AbortController();
    const response = await fetch(`${this.#url}/inspect`, { method: "POST", headers, body: JSON.stringify({ filter: clientId ?? "" }), signal: looking.signal });
    if (!response.ok || !response.body) throw new Error(`the local Ably shows nothing: ${response.status} ${await response.text()}`);
    let line = "";
    // A line a second; the first says what there is.
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      line += text;
      if (line.includes("\n")) break;
    }
    looking.abort();
    const { app } = JSON.parse(line.slice(0, line.indexOf("\n"))) as { app: { connections: { shown: Seen[] } } };
    const open = app.connections.shown.filter((seen) => !seen.page && seen.lost === null && (clientId === undefined || seen.clientId === clientId));
    return open.map((seen) => ({ clientId: seen.clientId, channels: seen.attached.shown.map(({ channel }) => channel).sort() }));
  }

  /** Starts it again where it was. */
  async restart() {
    this.#parts = new Parts();
    await this.#run(String(this.port));
  }

  async stop() {
    await this.#parts.stop();
  }

  async #run(port: string) {
    const binary = process.env.LOCAL_ABLY_BIN;
    if (!binary) throw new Error("LOCAL_ABLY_BIN is not set: `npm test` sets it, to the binary of the local Ably");
    const parts = this.#parts;
    try {
      const env = { ...environment(), LOCAL_ABLY_KEY: this.key, LOCAL_ABLY_CONTROL_SECRET: this.#controlSecret };
      const listening = new Promise<string>((resolve) => {
        parts.start("The local Ably", binary, ["--port", port, ...revocable(this.key), ...this.#options], env, (line) => {
          this.log.push(line);
          const url = listeningPlace(line)?.url;
          if (url !== undefined) resolve(url);
        });
      });
      this.#url = await within("the local Ably to listen", Promise.race([listening, parts.ended as Promise<never>]));
    } catch (error) {
      await parts.stop();
      throw error;
    }
  }
}
