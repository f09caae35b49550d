// What the tests of the local Ably with the real SDK have in common: a server of their own, clients in both formats, and ways to
// await what should happen.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import * as Ably from "ably";

/** A key that may do everything, and one of the same app that may do little. */
export const KEY = "AbCdEf.root:secret0123456789";
export const SMALL_KEY = "AbCdEf.small:another0123456789";
/** One whose tokens can be revoked. */
export const REVOCABLE_KEY = "AbCdEf.revocable:fourth0123456789";
const SMALL_CAPABILITY = '{"news":["subscribe"],"talk:*":["publish","subscribe","presence"]}';

/** How long anything may take that is awaited. */
const PATIENCE_MS = 20_000;

export type Use = {
  /** A realtime client of the format that is being tested; closed when the test ends. */
  realtime: (options?: Ably.ClientOptions) => Ably.Realtime;
  /** One of the other format. */
  other: (options?: Ably.ClientOptions) => Ably.Realtime;
  rest: (options?: Ably.ClientOptions) => Ably.Rest;
  /** The server's URL. */
  url: string;
  /** Makes a fault, as FAULTS.md tells. */
  fault: (body: object) => Promise<void>;
  /** A channel name that no other test uses, in a namespace if one is given. */
  name: (namespace?: string) => string;
};

/** A server that runs. */
export type Server = {
  port: number;
  /** The URL of its page, with the secret after the `#`. */
  page: string;
  /** The secret of its control endpoint. */
  controlSecret: string;
  /** Ends it, which must go well. */
  end: () => Promise<void>;
};

/** Starts a server on a free port. */
export async function startServer(...options: string[]): Promise<Server> {
  const binary = process.env.LOCAL_ABLY_BIN ?? "target/debug/local-ably";
  const program = spawn(binary, ["--port", "0", ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(program.stdout), "line");
  const end = async () => {
    const exited = once(program, "exit");
    program.kill("SIGINT");
    assert.deepEqual(await exited, [0, null], "the server ends cleanly");
  };
  return { ...JSON.parse(line), end };
}

/** Starts a server for the tests of a file, with further options if any are given. Answers a `test` that runs each of them in JSON and in MessagePack. */
export function localAbly(...options: string[]): (name: string, body: (use: Use) => Promise<void>) => void {
  let server: Server;
  let names = 0;

  before(async () => {
    const keys = ["--key", KEY, "--key", `${SMALL_KEY}=${SMALL_CAPABILITY}`];
    keys.push("--key", REVOCABLE_KEY, "--revocable", "AbCdEf.revocable");
    const namespaces = ["--namespace", "mutable=mutableMessages", "--namespace", "persisted=persisted"];
    server = await startServer(...keys, ...namespaces, ...options);
  });

  after(() => server.end());

  return (name, body) => {
    for (const binary of [false, true]) {
      test(`${name} (${binary ? "MessagePack" : "JSON"})`, async () => {
        const clients: Ably.Realtime[] = [];
        const { port, controlSecret } = server;
        const base = () => ({ endpoint: "127.0.0.1", port, tls: false, logLevel: 0 });
        const connect = (useBinaryProtocol: boolean, options: Ably.ClientOptions = { key: KEY }) => {
          const client = new Ably.Realtime({ ...base(), useBinaryProtocol, ...options });
          clients.push(client);
          return client;
        };
        try {
          await body({
            realtime: (options) => connect(binary, options),
            other: (options) => connect(!binary, options),
            rest: (options = { key: KEY }) =>
              new Ably.Rest({ ...base(), useBinaryProtocol: binary, ...options }),
            url: `http://127.0.0.1:${port}`,
            fault: async (body) => {
              const response = await fetch(`http://127.0.0.1:${port}/control/faults`, {
                method: "POST",
                headers: { authorization: `Bearer ${controlSecret}`, "content-type": "application/json" },
                body: JSON.stringify(body),
              });
              assert.equal(response.status, 201, await response.text());
            },
            name: (namespace) => `${namespace ? `${namespace}:` : ""}${binary ? "b" : "j"}${names++}`,
          });
        } finally {
          for (const client of clients) client.close();
        }
      });
    }
  };
}

/** A JWT of a key, good for an hour unless the claims say otherwise; times in seconds. */
export function jwt(claims: Record<string, unknown> = {}, key = KEY): string {
  const [kid = "", secret = ""] = key.split(":");
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Date.now() / 1000;
  const signed = `${encode({ typ: "JWT", alg: "HS256", kid })}.${encode({ iat: now, exp: now + 3600, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** A JWT that may do only so much. */
export function able(capability: Record<string, string[]>, claims: Record<string, unknown> = {}): string {
  return jwt({ "x-ably-capability": JSON.stringify(capability), ...claims });
}

/** Options that get a new JWT with given claims whenever the client wants a token. */
export function renewing(claims: (count: number) => Record<string, unknown>): Ably.ClientOptions {
  let count = 0;
  return {
    authCallback: (_params, callback) => {
      count += 1;
      callback(null, jwt(claims(count)));
    },
  };
}

/** The result of a promise that must settle soon. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain: ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Awaits that a connection or a channel is in a state. */
export async function inState<T extends { whenState: (state: never) => Promise<unknown> }>(
  of: T,
  state: Parameters<T["whenState"]>[0],
): Promise<void> {
  await soon(of.whenState(state), `state ${state}`);
}

/** The error of a promise that must fail with a code. */
export async function fails(promise: Promise<unknown>, code: number): Promise<Ably.ErrorInfo> {
  const error = await soon(
    promise.then(
      () => assert.fail(`it went well, where ${code} was to come`),
      (error) => error as Ably.ErrorInfo,
    ),
    `error ${code}`,
  );
  assert.equal(error.code, code, error.message);
  return error;
}

/** Things that come in, to be awaited. */
export class Inbox<T> {
  readonly all: T[] = [];
  #wake: (() => void)[] = [];

  push = (item: T): void => {
    this.all.push(item);
    for (const wake of this.#wake.splice(0)) wake();
  };

  /** All that came, once there are so many. */
  async until(count: number): Promise<T[]> {
    while (this.all.length < count) {
      const more = new Promise<void>((resolve) => this.#wake.push(resolve));
      await soon(more, `${count} things, of which ${this.all.length} came`);
    }
    return this.all;
  }
}

/** What subscribers to a channel receive from now on. */
export async function messagesOf(channel: Ably.RealtimeChannel): Promise<Inbox<Ably.InboundMessage>> {
  const inbox = new Inbox<Ably.InboundMessage>();
  await soon(channel.subscribe(inbox.push), "attached");
  return inbox;
}

/** Presence events of a channel from now on, as `action:clientId:data`. */
export async function presenceOf(channel: Ably.RealtimeChannel): Promise<Inbox<string>> {
  const inbox = new Inbox<string>();
  const push = (event: Ably.PresenceMessage) =>
    inbox.push(`${event.action}:${event.clientId}:${JSON.stringify(event.data)}`);
  await soon(channel.presence.subscribe(push), "attached");
  return inbox;
}

/** Once this is done, all that was on its way to the client has come. */
export async function settled(client: Ably.Realtime): Promise<void> {
  await soon(client.connection.ping(), "pong");
}

/** Cuts the socket of a client as a lost network would. */
export function cut(client: Ably.Realtime): void {
  socketOf(client).terminate();
}

/** The same, and the client does not come back. */
export function vanish(client: Ably.Realtime): void {
  managerOf(client).connectImpl = () => {};
  cut(client);
}

type Manager = {
  connectImpl: () => void;
  activeProtocol: { transport: { wsConnection: { terminate: () => void } } };
};

function managerOf(client: Ably.Realtime): Manager {
  return (client.connection as unknown as { connectionManager: Manager }).connectionManager;
}

function socketOf(client: Ably.Realtime) {
  return managerOf(client).activeProtocol.transport.wsConnection;
}
