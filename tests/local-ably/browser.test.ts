// The real SDK in a real browser, on a page that another server serves: what differs there from Node is the format, the means of
// REST, what a page may read across origins, and how a page ends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server as WebServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFile } from "node:fs/promises";
import { after, before, test, type TestContext } from "node:test";
import type * as Sdk from "ably";
import * as OnNode from "ably";
import { build } from "esbuild";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser } from "./browser.ts";
import { Inbox, jwt, KEY, type Server, soon, startServer } from "./support.ts";

/** What the page has: the SDK as a script, or else its parts. */
declare const Ably: typeof Sdk;
declare const parts: typeof import("ably/modular");
declare const client: Sdk.Realtime;

let server: Server;
let site: WebServer;
let origin: string;
let browser: Browser;
/** How long the tokens live that the site gives out, in seconds; the first one of a test may live shorter. */
let lives: number[] = [];
let names = 0;

before(async () => {
  server = await startServer("--key", KEY);
  const scripts: Record<string, string> = {
    // Beside the one for Node.
    "/ably.js": await readFile(new URL("ably.js", import.meta.resolve("ably")), "utf8"),
    "/parts.js": await bundled(),
  };
  site = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://site");
    const script = scripts[pathname];
    if (script !== undefined) return response.setHeader("content-type", "text/javascript").end(script);
    if (pathname === "/token") {
      const claims = { exp: Date.now() / 1000 + (lives.shift() ?? 3600), "x-ably-clientId": "ann" };
      return response.setHeader("content-type", "application/jwt").end(jwt(claims));
    }
    response.setHeader("content-type", "text/html");
    return response.end(`<!doctype html><title>An app</title><script src="${searchParams.get("script")}"></script>`);
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  site?.close();
  site?.closeAllConnections();
  await server.end();
});

/** The SDK's parts, as a bundler takes them into an app. */
async function bundled(): Promise<string> {
  const contents = 'export * from "ably/modular"';
  const stdin = { contents, resolveDir: import.meta.dirname };
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: "iife", globalName: "parts" });
  return outputFiles[0]?.text ?? "";
}

/** A page of the app, in a browser of its own. */
async function open(t: TestContext, script = "/ably.js"): Promise<{ page: Page; context: BrowserContext }> {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`${origin}/?script=${script}`);
  return { page, context };
}

/** Makes the page's client, by the key unless other options say how. */
async function connect(page: Page, options: Sdk.ClientOptions = { key: KEY, clientId: "ann" }): Promise<void> {
  const all = { endpoint: "127.0.0.1", port: server.port, tls: false, logLevel: 0, ...options };
  const made = page.evaluate(async (all) => {
    // A function does not come over from the test.
    const options = all.recover === "always" ? { ...all, recover: (_: unknown, use: (so: boolean) => void) => use(true) } : all;
    const client = new Ably.Realtime(options);
    Object.assign(window, { client });
    await client.connection.whenState("connected");
  }, all as Sdk.ClientOptions & { recover?: string });
  await soon(made, "connected");
}

/** Somebody else, on Node. */
function onlooker(t: TestContext): Sdk.Realtime {
  const client = new OnNode.Realtime({ key: KEY, endpoint: "127.0.0.1", port: server.port, tls: false, logLevel: 0 });
  t.after(() => client.close());
  return client;
}

const channelName = () => `browser:${names++}`;

for (const useBinaryProtocol of [false, true]) {
  const format = useBinaryProtocol ? "MessagePack" : "JSON";

  test(`a browser publishes, receives, is present and reads history, in ${format}`, async (t) => {
    const { page } = await open(t);
    await connect(page, { key: KEY, clientId: "ann", useBinaryProtocol });
    const found = page.evaluate(async (name) => {
      const channel = client.channels.get(name);
      const received: Sdk.InboundMessage[] = [];
      const all = new Promise<void>((resolve) => {
        void channel.subscribe((message) => void (received.push(message) === 4 && resolve()));
      });
      await channel.whenState("attached");
      await channel.publish("text", "héllo");
      await channel.publish("json", { n: [1, null] });
      await channel.publish("bytes", new Uint8Array([0, 1, 255]).buffer);
      await channel.presence.enter({ mood: "fine" });
      const { options } = client as unknown as { options: Sdk.ClientOptions };
      await new Ably.Rest({ key: options.key, clientId: "ann", endpoint: "127.0.0.1", port: options.port, tls: false, useBinaryProtocol: options.useBinaryProtocol })
        .channels.get(name)
        .publish("over REST", new Uint8Array([7]).buffer);
      await all;
      const data = (message: Sdk.InboundMessage) =>
        message.data instanceof ArrayBuffer ? [...new Uint8Array(message.data)] : message.data;
      const first = await channel.history({ limit: 3, direction: "forwards" });
      const second = await first.next();
      const members = await channel.presence.get();
      return {
        received: received.map((message) => [message.name, data(message), message.clientId]),
        history: [first, second].map((page) => page?.items.map(data)),
        members: members.map((member) => [member.clientId, member.data, member.connectionId === client.connection.id]),
        entered: (await channel.presence.history()).items.length,
        time: await client.time(),
      };
    }, channelName());
    const { received, history, members, entered, time } = await soon(found, "all of it");
    assert.deepEqual(received, [
      ["text", "héllo", "ann"],
      ["json", { n: [1, null] }, "ann"],
      ["bytes", [0, 1, 255], "ann"],
      ["over REST", [7], "ann"],
    ]);
    assert.deepEqual(history, [["héllo", { n: [1, null] }, [0, 1, 255]], [[7]]]);
    assert.deepEqual(members, [["ann", { mood: "fine" }, true]]);
    assert.equal(entered, 1);
    assert.equal(typeof time, "number");
  });
}

test("a browser with an authUrl renews its token and keeps its connection", async (t) => {
  lives = [1];
  const { page } = await open(t);
  await connect(page, { authUrl: "/token" });
  const renewed = page.evaluate(async () => {
    const { id } = client.connection;
    const reasons: unknown[] = [];
    await new Promise<void>((resolve) => {
      client.connection.on((change) => {
        if (change.current === "disconnected") reasons.push(change.reason?.code);
        if (change.current === "connected") resolve();
      });
    });
    return { same: client.connection.id === id, reasons, clientId: client.auth.clientId };
  });
  assert.deepEqual(await soon(renewed, "another token"), { same: true, reasons: [40142], clientId: "ann" });
});

test("a browser reads why it was refused, across origins", async (t) => {
  const { page } = await open(t);
  const found = page.evaluate(
    async ([port, key]) => {
      const options = { endpoint: "127.0.0.1", port: Number(port), tls: false, logLevel: 0 };
      const code = (work: Promise<unknown>) => work.then(() => "it went well", (error) => `${error.code}/${error.statusCode}`);
      const rest = new Ably.Rest({ ...options, key: key ?? "" });
      const wrong = new Ably.Realtime({ ...options, key: `${key}x` });
      await wrong.connection.whenState("failed");
      return {
        limit: await code(rest.channels.get("a").history({ limit: 1001 })),
        key: await code(new Ably.Rest({ ...options, key: `${key}x` }).channels.get("a").publish("n", "d")),
        path: await rest.request("GET", "/nowhere", 3).then(({ errorCode, statusCode }) => `${errorCode}/${statusCode}`),
        connection: wrong.connection.errorReason?.code,
      };
    },
    [String(server.port), KEY],
  );
  const expected = { limit: "40003/400", key: "40101/401", path: "40400/404", connection: 40101 };
  assert.deepEqual(await soon(found, "the errors"), expected);
});

/** Somebody enters a channel in a page; whoever looks on sees them leave. */
async function present(t: TestContext, page: Page): Promise<{ channel: string; left: () => Promise<Sdk.PresenceMessage> }> {
  const channel = channelName();
  const leaves = new Inbox<Sdk.PresenceMessage>();
  await onlooker(t).channels.get(channel).presence.subscribe("leave", leaves.push);
  await page.evaluate((name) => client.channels.get(name).presence.enter(), channel);
  return {
    channel,
    left: async () => {
      const [leave] = await leaves.until(1);
      assert(leave);
      return leave;
    },
  };
}

test("a page that is left says so, and its members leave at once", async (t) => {
  const { page } = await open(t);
  // Otherwise they would stay for longer than this test waits.
  await connect(page, { key: KEY, clientId: "ann", transportParams: { remainPresentFor: 120_000 } });
  const { left } = await present(t, page);
  await page.goto("about:blank");
  assert.equal((await left()).clientId, "ann");
});

test("a tab that is closed without a word is gone after a while", async (t) => {
  const { page } = await open(t);
  await connect(page, { key: KEY, clientId: "ann", transportParams: { remainPresentFor: 1_000 } });
  const { left } = await present(t, page);
  await page.close();
  assert.equal((await left()).clientId, "ann");
});

test("a page that is loaded again recovers its connection, its members and what it missed", async (t) => {
  const { page } = await open(t);
  const options = { key: KEY, clientId: "ann", recover: "always" };
  await connect(page, options);
  const { channel } = await present(t, page);
  const looker = onlooker(t).channels.get(channel);
  const id = await page.evaluate(() => client.connection.id);
  await page.reload();
  await looker.publish("missed", "while it was loaded");
  await connect(page, options);
  const found = page.evaluate(async (name) => {
    const channel = client.channels.get(name);
    const data = await new Promise((resolve) => void channel.subscribe((message) => resolve(message.data)));
    return { id: client.connection.id, data };
  }, channel);
  assert.deepEqual(await soon(found, "what was missed"), { id, data: "while it was loaded" });
  assert.deepEqual((await looker.presence.get()).map(({ connectionId }) => connectionId), [id]);
});

test("a browser that was offline resumes, and misses nothing", async (t) => {
  const { page, context } = await open(t);
  await connect(page);
  const channel = channelName();
  const id = await page.evaluate(async (name) => {
    const received: unknown[] = [];
    Object.assign(window, { received });
    await client.channels.get(name).subscribe((message) => void received.push(message.data));
    return client.connection.id;
  }, channel);
  await context.setOffline(true);
  await soon(page.evaluate(() => client.connection.whenState("disconnected")), "offline");
  await onlooker(t).channels.get(channel).publish("n", "missed");
  await context.setOffline(false);
  await page.waitForFunction(() => (window as unknown as { received: unknown[] }).received.length > 0);
  const found = await page.evaluate(() => [client.connection.id, (window as unknown as { received: unknown[] }).received]);
  assert.deepEqual(found, [id, ["missed"]]);
});

test("an app that bundles parts of the SDK works with them", async (t) => {
  const { page } = await open(t, "/parts.js");
  const found = page.evaluate(
    async ([port, key, name]) => {
      const { BaseRealtime, FetchRequest, MsgPack, RealtimePresence, Rest, WebSocketTransport, XHRRequest } = parts;
      const received: unknown[] = [];
      for (const means of [{ FetchRequest }, { XHRRequest, MsgPack }]) {
        const client = new BaseRealtime({
          endpoint: "127.0.0.1",
          port: Number(port),
          tls: false,
          key: key ?? "",
          clientId: "ann",
          useBinaryProtocol: "MsgPack" in means,
          plugins: { WebSocketTransport, RealtimePresence, Rest, ...means } as never,
        });
        const channel = client.channels.get(name ?? "");
        const message = new Promise<unknown>((resolve) => void channel.subscribe(({ data }) => resolve(data)));
        await channel.whenState("attached");
        await channel.publish("n", "d");
        await channel.presence.enter();
        received.push(await message, (await channel.presence.get()).length, (await channel.history()).items.length);
        await channel.presence.leave();
        client.close();
      }
      return received;
    },
    [String(server.port), KEY, channelName()],
  );
  assert.deepEqual(await soon(found, "both"), ["d", 1, 1, "d", 1, 2]);
});
