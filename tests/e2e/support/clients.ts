// The real `ably` package as the clients of a test, in both of its formats.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import Ably, { type ClientOptions, type ConnectionState, type ErrorInfo, type Realtime } from "ably";
import { within } from "./wait.ts";
import { COOKIE, type World } from "./world.ts";

/** The two formats of Ably's protocol: browsers speak JSON, all else MessagePack. */
export type Format = "JSON" | "MessagePack";
export const FORMATS: readonly Format[] = ["JSON", "MessagePack"];

/** How a client may present its session to the token route. */
export const WAYS = ["a header", "a cookie", "POST and a header", "POST and a cookie"] as const;
export type Way = (typeof WAYS)[number];

/** A test, once in each format. What the service and the local Ably said goes with its failure. */
export function inBothFormats(world: World, name: string, run: (t: TestContext, clients: Clients) => Promise<void>) {
  for (const format of FORMATS) {
    test(`${name} (${format})`, { timeout: 240_000 }, async (t) => {
      try {
        await run(t, new Clients(world, format, t));
      } catch (error) {
        for (const line of [...world.ably.log, ...world.log].slice(-60)) t.diagnostic(line);
        throw error;
      }
    });
  }
}

/** Makes clients that speak one format, and closes them when the test has ended. */
export class Clients {
  readonly world: World;
  readonly format: Format;
  readonly #t: TestContext;

  constructor(world: World, format: Format, t: TestContext) {
    this.world = world;
    this.format = format;
    this.#t = t;
  }

  /** Clients of the same test that speak the other format. */
  inTheOtherFormat(): Clients {
    return new Clients(this.world, this.format === "JSON" ? "MessagePack" : "JSON", this.#t);
  }

  /** The options of a client that gets its tokens from the service. */
  options(session: string, way: Way = "a header", more: ClientOptions = {}): ClientOptions {
    const bySession: Record<string, string> = way.endsWith("header") ? { authorization: `Bearer ${session}` } : { cookie: `${COOKIE}=${session}` };
    // A browser adds the origin to a POST by itself.
    const post: ClientOptions = way.startsWith("POST") ? { authMethod: "POST", authHeaders: { ...bySession, origin: this.world.url } } : {};
    return { authUrl: this.world.authUrl, authHeaders: bySession, ...post, ...more };
  }

  /** A client with any options. */
  realtime(options: ClientOptions): Realtime {
    const client = new Ably.Realtime(this.#complete(options));
    this.#t.after(() => client.close());
    return client;
  }

  /** A client that gets its tokens from the service, connected. */
  async connected(session: string, way?: Way, more?: ClientOptions): Promise<Realtime> {
    const client = this.realtime(this.options(session, way, more));
    await reaches(client, "connected");
    return client;
  }

  /** A client of Ably's REST interface that gets its tokens from the service. */
  rest(session: string): Ably.Rest {
    return new Ably.Rest(this.#complete(this.options(session)));
  }

  /** One that may do everything: it looks at what is there, and publishes what a back end would. */
  withKey(): Ably.Rest {
    return new Ably.Rest(this.#complete({ key: this.world.ably.key }));
  }

  #complete(options: ClientOptions): ClientOptions {
    return {
      ...this.world.ably.address,
      useBinaryProtocol: this.format === "MessagePack",
      // Errors are what many tests are about.
      logLevel: 0,
      ...options,
    };
  }
}

/** Waits until the connection is in a state, which fails at once where the connection ends in another. */
export async function reaches(client: Realtime, state: ConnectionState, bound?: number): Promise<void> {
  const { connection } = client;
  if (connection.state === state) return;
  const reached = new Promise<void>((resolve, reject) => {
    const listener: Parameters<typeof connection.on>[0] & object = ({ current, reason }: { current: ConnectionState; reason?: ErrorInfo }) => {
      if (current !== state && current !== "failed") return;
      connection.off(listener);
      if (current === state) resolve();
      else reject(new Error(`the connection failed: ${reason?.message}`, { cause: reason }));
    };
    connection.on(listener);
  });
  await within(`the connection to be ${state}`, reached, bound);
}

/** Every state that a connection has had since this was called. */
export function statesOf(client: Realtime): ConnectionState[] {
  const states: ConnectionState[] = [client.connection.state];
  client.connection.on(({ current, previous }) => {
    if (current !== previous) states.push(current);
  });
  return states;
}

/** That a client may not do something: Ably answers 40160, and nothing else will do. */
export async function refused(what: string, promise: Promise<unknown>): Promise<void> {
  const outcome = await within(what, promise.then(() => "allowed", (error: ErrorInfo) => error));
  assert.notEqual(outcome, "allowed", `${what} is allowed, and should be refused`);
  const { code, statusCode, message } = outcome as ErrorInfo;
  assert.deepEqual({ code, statusCode }, { code: 40160, statusCode: 401 }, `${what} is refused, but with: ${message}`);
}
