// The local Ably's page in a real browser: what it shows, and what a hostile page or a hostile text gets out of it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test, type TestContext } from "node:test";
import * as Ably from "ably";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser } from "./browser.ts";
import { type Server as LocalAbly, startServer } from "./support.ts";

const KEY = "AbCdEf.root:secret0123456789";
const VIEWER_KEY = "AbCdEf.viewer:another0123456789";

let server: LocalAbly;
let port: number;
/** The URL of the page, with the secret after the `#`. */
let pageUrl: string;
let secret: string;
let browser: Browser;
/** A page of somebody else's, at an origin and under a name of its own. */
let foreign: Server;
let foreignPort: number;
let names = 0;

before(async () => {
  const keys = ["--key", KEY, "--key", `${VIEWER_KEY}={"elsewhere":["subscribe"]}`];
  server = await startServer(...keys, "--namespace", "chat=mutableMessages");
  ({ port, page: pageUrl, controlSecret: secret } = server);
  foreign = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>Somebody else's</title>");
  }).listen(0, "127.0.0.1");
  await once(foreign, "listening");
  foreignPort = (foreign.address() as AddressInfo).port;
  // The names that a hostile page could have.
  browser = await launchBrowser("--host-resolver-rules=MAP *.example 127.0.0.1");
});

after(async () => {
  await browser?.close();
  foreign?.close();
  foreign?.closeAllConnections();
  await server.end();
});

/** A channel that no other test uses. */
function channelName(): string {
  return `page${names++}`;
}

function realtime(t: TestContext, options: Ably.ClientOptions = { key: KEY }): Ably.Realtime {
  const client = new Ably.Realtime({ endpoint: "127.0.0.1", port, tls: false, logLevel: 0, ...options });
  t.after(() => client.close());
  return client;
}

/** Publishes over REST, in JSON as it stands here. */
async function publish(channel: string, messages: unknown): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/channels/${encodeURIComponent(channel)}/messages`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(KEY)}`, "content-type": "application/json" },
    body: JSON.stringify(messages),
  });
  assert.equal(response.status, 201);
}

async function context(t: TestContext, options: Parameters<Browser["newContext"]>[0] = {}): Promise<BrowserContext> {
  const made = await browser.newContext(options);
  t.after(() => made.close());
  return made;
}

/** Opens the page, of this server or of another, and watches it: it never does what its policy forbids, and nothing goes wrong in it. */
async function open(
  t: TestContext,
  channel?: string,
  options: Parameters<typeof context>[1] = {},
  url = pageUrl,
): Promise<Page> {
  const page = await (await context(t, options)).newPage();
  const wrong: string[] = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("dialog", (dialog) => {
    wrong.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  t.after(() => assert.deepEqual(wrong, []));
  await page.goto(url);
  await page.getByRole("status").getByText("Live").waitFor();
  if (channel !== undefined) {
    await page.getByLabel("Watch another").fill(channel);
    await page.getByRole("button", { name: "Watch", exact: true }).click();
    await page.locator("#channel-line", { hasText: `“${channel}”` }).and(page.locator(":not(.bad)")).waitFor();
    await page.locator("#channels-list button[aria-current=true]").waitFor();
  }
  return page;
}

const messages = (page: Page) => page.locator("#messages-list > li");

test("it shows who is connected as whom, may do what, and is attached to what with which modes", async (t) => {
  const channel = channelName();
  const ann = realtime(t, { key: KEY, clientId: "ann" });
  await ann.channels.get(channel).presence.enter({ mood: "fine" });
  const rest = new Ably.Rest({ key: KEY, endpoint: "127.0.0.1", port, tls: false });
  const capability = { [channel]: ["publish" as const] };
  const token = await rest.auth.requestToken({ clientId: "bob", ttl: 600_000, capability });
  const bob = realtime(t, { token });
  await bob.channels.get(channel, { modes: ["PUBLISH", "SUBSCRIBE"] }).attach();

  const page = await open(t, channel);
  const attached = page.locator("#attached-list > li");
  await attached.filter({ hasText: "ann" }).getByText("receives messages", { exact: true }).waitFor();
  const notBob = attached.filter({ hasText: "bob" });
  await notBob.getByText("receives no messages: its capability does not allow subscribe here").waitFor();
  assert.deepEqual(await notBob.locator(".chips > *").allTextContents(), ["publish", "subscribe"]);
  assert.deepEqual(await notBob.locator(".chips > .off").allTextContents(), ["subscribe"]);
  await page.locator("#channel-line", { hasText: "1 of 2 attached receive messages" }).waitFor();

  const connection = page.locator("#connections-list > li").filter({ hasText: "bob" });
  await connection.getByText("connected", { exact: true }).waitFor();
  await connection.getByText(bob.connection.id ?? "").waitFor();
  await connection.getByText("key AbCdEf.root").waitFor();
  await connection.getByText(/its token expires in (9 min \d+ s|10 min 0 s)/).waitFor();
  await connection.getByText("Capability").click();
  await connection.getByText(`${channel}: publish`).waitFor();

  const member = page.locator("#presence-list > li").filter({ hasText: "ann" });
  await member.getByText('{"mood":"fine"}').waitFor();
  await ann.channels.get(channel).presence.leave();
  await member.waitFor({ state: "detached" });
});

test("it shows by which parameters a channel is attached", async (t) => {
  const channel = channelName();
  await realtime(t).channels.get(channel, { params: { rewind: "2", occupancy: "metrics" }, modes: ["SUBSCRIBE"] }).attach();
  const page = await open(t, channel);
  const chips = page.locator("#attached-list > li .chips > *");
  await chips.first().waitFor();
  assert.deepEqual(await chips.allTextContents(), ["subscribe", "occupancy=metrics", "rewind=2"]);
});

test("it shows which limits hold, how close one is and what they refused, and nothing of it where none hold", async (t) => {
  const limited = await startServer("--key", KEY, "--limits", "free");
  t.after(limited.end);
  const client = realtime(t, { key: KEY, port: limited.port });
  const rest = new Ably.Rest({ key: KEY, endpoint: "127.0.0.1", port: limited.port, tls: false });
  await rest.channels.get("full").publish(Array.from({ length: 500 }, () => ({ data: "" })));
  await assert.rejects(rest.channels.get("full").publish("one", "more"), { code: 42913 });
  await client.connection.whenState("connected");

  const page = await open(t, undefined, {}, limited.page);
  const limits = page.locator("#limits");
  await limits.getByText("Limits: free").waitFor();
  await limits.getByText("connections 1 of 200", { exact: true }).waitFor();
  await limits.getByText("REST requests 2 since the start, of 25,000 an hour").waitFor();
  await limits.getByText(/^messages in and out [\d.]+\/s of 500$/).waitFor();
  await limits.getByText("channel.maxRate · 1 refused").waitFor();
  assert.equal(await (await open(t)).locator("#limits").isVisible(), false);
});

test("it shows what was published by whom, and lays out JSON, bytes and what is encrypted", async (t) => {
  const channel = channelName();
  const ann = realtime(t, { key: KEY, clientId: "ann" });
  await ann.channels.get(channel).publish("before", "it looked");
  const page = await open(t, channel);
  await messages(page).filter({ hasText: "before" }).waitFor();
  await ann.channels.get(channel).publish("location", { lat: 48.2, lng: 16.4 });
  await publish(channel, { name: "bytes", data: btoa("\x00\x01hello"), encoding: "base64" });
  await publish(channel, { name: "hush", data: btoa("0123456789abcdef"), encoding: "utf-8/cipher+aes-256-cbc/base64" });
  await messages(page).nth(3).waitFor();
  const shown = await messages(page).locator("summary").evaluateAll((rows) =>
    rows.map((row) => Array.from(row.children, (cell) => cell.textContent).slice(1)),
  );
  assert.deepEqual(shown, [
    ["hush", "over REST", "16 B", "encrypted, aes-256-cbc: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66"],
    ["bytes", "over REST", "7 B", "binary: 00 01 68 65 6c 6c 6f"],
    ["location", "ann", "23 B", '{"lat":48.2,"lng":16.4}'],
    ["before", "ann", "9 B", "it looked"],
  ]);
  const location = messages(page).filter({ hasText: "location" });
  await location.locator("summary").click();
  assert.equal(await location.locator("pre").textContent(), '{\n  "lat": 48.2,\n  "lng": 16.4\n}');
  await location.getByText(ann.connection.id ?? "", { exact: true }).waitFor();
});

test("it shows what was refused, with code and reason", async (t) => {
  const channel = channelName();
  const viewer = realtime(t, { key: VIEWER_KEY, clientId: "viewer" });
  await assert.rejects(viewer.channels.get(channel).subscribe(() => {}));
  const page = await open(t);
  const refusal = page.locator("#refusals-list > li").filter({ hasText: channel }).first();
  await refusal.getByText("40160/401").waitFor();
  await refusal.getByText("ERROR").waitFor();
  await refusal.getByText("clientId “viewer”", { exact: false }).waitFor();
});

test("a script in a message, a clientId, a channel, a presence member or an agent never runs", async (t) => {
  const script = `<img src=x onerror="window.ran=1"><script>window.ran=1</script><svg onload="window.ran=1"></svg>`;
  const channel = `"><b>${script}`;
  const eve = realtime(t, { key: KEY, clientId: script });
  await eve.channels.get(channel).presence.enter(script);
  await eve.channels.get(channel).publish(script, { [script]: script });
  await publish(channel, { name: "text", data: script, extras: { headers: { [script]: script } }, encoding: script });
  // Refused, so that the reasons that are shown tell it too.
  await assert.rejects(realtime(t, { key: VIEWER_KEY, clientId: script }).channels.get(channel).attach());
  const query = new URLSearchParams({ v: "6", key: KEY, agent: script, clientId: `agent ${script}` });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/?${query}`);
  t.after(() => socket.close());
  await once(socket, "message");

  const page = await open(t);
  await page.locator("#channels-list button", { hasText: "onerror" }).first().click();
  for (const place of ["#presence-list", "#attached-list", "#connections-list", "#refusals-list", "#messages-list"]) {
    await page.locator(`${place} > li`, { hasText: script }).first().waitFor();
  }
  for (const index of [0, 1]) await messages(page).nth(index).locator("summary").click();
  await messages(page).locator("pre").nth(1).waitFor();
  for (const name of await page.locator("#connections-list summary").all()) await name.click();
  await page.getByLabel("Filter").fill("window.ran");
  await page.locator("#channels-count", { hasText: " of " }).waitFor();
  assert.equal(await page.evaluate(() => "ran" in window), false);
  const made = "main :is(img, script, b, iframe, [onerror], [onload])";
  assert.equal(await page.locator(made).count(), 0, "no text became an element");
  assert.equal(await page.locator("script").count(), 1, "the page's own");
});

/** What a page gets that tries everything, from wherever it is. */
async function attempts(page: Page): Promise<Record<string, string>> {
  return page.evaluate(
    async ([base, key, secret]) => {
      const outcome = (work: Promise<Response>) =>
        work.then(
          async (response) => `${response.type} ${response.status} ${response.status === 200 ? await response.text() : ""}`,
          () => "nothing",
        );
      const authorization = `Bearer ${secret}`;
      const socket = (url: string) =>
        new Promise<string>((resolve) => {
          const made = new WebSocket(url);
          made.onopen = () => resolve("open");
          made.onmessage = ({ data }) => resolve(`said ${data}`);
          made.onclose = () => resolve("nothing");
        });
      const load = (tag: "script" | "img" | "iframe", path: string) =>
        new Promise<string>((resolve) => {
          const element = document.createElement(tag);
          element.src = `${base}${path}`;
          element.onload = () => resolve("loaded");
          element.onerror = () => resolve("nothing");
          document.body.append(element);
        });
      return {
        time: await outcome(fetch(`${base}/time`)),
        page: await outcome(fetch(`${base}/`, { headers: { accept: "text/html" } })),
        publish: await outcome(fetch(`${base}/channels/x/messages?key=${key}`, { method: "POST", body: "{}" })),
        inspect: await outcome(
          fetch(`${base}/inspect`, {
            method: "POST",
            headers: { authorization, "content-type": "application/json" },
            body: "{}",
          }),
        ),
        control: await outcome(fetch(`${base}/control/faults`, { headers: { authorization } })),
        socket: await socket(`${base?.replace("http", "ws")}/?v=6&key=${key}`),
        script: await load("script", "/page/page.js"),
        image: await load("img", "/page/icon.svg"),
      };
    },
    [page.url().includes(`:${port}`) ? new URL(page.url()).origin : `http://127.0.0.1:${port}`, KEY, secret],
  );
}

test("a page of another origin gets nothing, by fetch, by WebSocket or by what it loads, although it knew all secrets", async (t) => {
  const page = await (await context(t)).newPage();
  await page.goto(`http://evil.example:${foreignPort}/`);
  assert.equal(await page.evaluate(() => location.origin), `http://evil.example:${foreignPort}`);
  const got = await attempts(page);
  assert.deepEqual(new Set(Object.values(got)), new Set(["nothing"]), JSON.stringify(got));
  // Nor by a request whose answer it could not read: nothing was published.
  await page.evaluate(
    async ([base, key]) => {
      await fetch(`${base}/channels/csrf/messages?key=${key}`, { method: "POST", mode: "no-cors", body: "{}" });
    },
    [`http://127.0.0.1:${port}`, KEY],
  );
  const rest = new Ably.Rest({ key: KEY, endpoint: "127.0.0.1", port, tls: false });
  assert.deepEqual((await rest.channels.get("csrf").history()).items, []);
});

test("a page whose own name leads to the laptop gets nothing, by fetch or by WebSocket", async (t) => {
  const page = await (await context(t)).newPage();
  const response = await page.goto(`http://rebound.example:${port}/#secret=${secret}`);
  assert.equal(response?.status(), 403);
  assert.equal(await page.locator("#inside").count(), 0);
  const got = await attempts(page);
  for (const [name, outcome] of Object.entries(got)) assert.match(outcome, /^(basic 403 |nothing)$/, name);
});

test("no page may frame it", async (t) => {
  // Of a loopback origin, which may speak to the server: this is for the page alone.
  const page = await (await context(t)).newPage();
  await page.goto(`http://127.0.0.1:${foreignPort}/`);
  const refused = page.waitForEvent("console", { predicate: (message) => message.text().includes("frame-ancestors") });
  await page.evaluate((src) => {
    const frame = document.createElement("iframe");
    frame.src = src;
    document.body.append(frame);
  }, pageUrl);
  await refused;
  const [, frame] = page.frames();
  assert.equal(await frame?.locator("#inside").count(), 0);
});

test("the secret leaves the address bar, lasts for the tab, and without it there is nothing to see", async (t) => {
  const page = await open(t);
  assert.equal(page.url(), `http://127.0.0.1:${port}/`);
  await page.reload();
  await page.getByRole("status").getByText("Live").waitFor();

  const stranger = await (await context(t)).newPage();
  await stranger.goto(`http://127.0.0.1:${port}/`);
  await stranger.getByRole("heading", { name: "The secret, please" }).waitFor();
  assert.equal(await stranger.locator("main").isVisible(), false);
  await stranger.getByRole("textbox", { name: "Secret" }).fill("guess");
  await stranger.getByRole("button", { name: "Look inside" }).click();
  await stranger.getByRole("alert").getByText("secret").waitFor();
  assert.equal(await stranger.locator("main").isVisible(), false);
  await stranger.getByRole("textbox", { name: "Secret" }).fill(secret);
  await stranger.getByRole("button", { name: "Look inside" }).click();
  await stranger.getByRole("status").getByText("Live").waitFor();
  assert.equal(await stranger.locator("main").isVisible(), true);
  assert.deepEqual(await stranger.evaluate(() => Object.keys(localStorage)), []);
});

test("its own connection may only read, is marked, and counts for nothing", async (t) => {
  const channel = channelName();
  const page = await open(t, channel);
  await publish(channel, { name: "x" });
  await messages(page).first().waitFor();
  await page.locator("#channel-line", { hasText: "nobody is attached" }).waitFor();
  const own = page.locator("#connections-list > li").filter({ hasText: "this page, or another tab of it" }).first();
  await own.getByText("local-ably-page/1", { exact: false }).waitFor();
  const rest = new Ably.Rest({ key: KEY, endpoint: "127.0.0.1", port, tls: false });
  const { status } = await rest.channels.get(channel).status();
  assert.equal(status.occupancy.metrics.connections, 0);
  await page.locator(`#channels-list button[aria-current=true][title^="1 published, 0 delivered"]`).waitFor();
});

test("while somebody reads, nothing moves; then what is new is shown", async (t) => {
  const channel = channelName();
  await publish(channel, { name: "first", data: "one" });
  const page = await open(t, channel);
  const first = messages(page).filter({ hasText: "first" });
  await first.locator("summary").click();
  await first.locator("pre").waitFor();
  const place = await first.boundingBox();
  await publish(channel, { name: "second" });
  await page.getByRole("button", { name: "1 new: show them" }).waitFor();
  assert.equal(await messages(page).count(), 1);
  assert.deepEqual(await first.boundingBox(), place);
  await page.getByRole("button", { name: "1 new: show them" }).click();
  await messages(page).filter({ hasText: "second" }).waitFor();
});

test("paused, it stands still, and shows afterwards what has come", async (t) => {
  const channel = channelName();
  const page = await open(t, channel);
  await page.getByRole("button", { name: "Pause" }).click();
  assert.equal(await page.getByRole("button", { name: "Pause" }).getAttribute("aria-pressed"), "true");
  await publish(channel, [{ name: "one" }, { name: "two" }]);
  await page.getByRole("button", { name: "2 new: show them" }).waitFor();
  assert.equal(await messages(page).count(), 0);
  await page.getByRole("button", { name: "Pause" }).click();
  await messages(page).nth(1).waitFor();
});

test("a filter narrows messages, channels, connections and refusals", async (t) => {
  const channel = channelName();
  await publish(channel, [
    { name: "kept", data: "Needle in hay" },
    { name: "gone", data: "hay" },
  ]);
  const page = await open(t, channel);
  await messages(page).nth(1).waitFor();
  await page.getByLabel("Filter").fill("needle");
  await messages(page).filter({ hasText: "gone" }).waitFor({ state: "detached" });
  assert.equal(await messages(page).filter({ hasText: "kept" }).count(), 1);
  await page.locator("#channels-list > li").first().waitFor({ state: "detached" });
  await page.getByLabel("Filter").fill(channel);
  await page.locator("#channels-list > li").nth(0).waitFor();
});

test("messages by the ten thousand leave it in reach, and bounded", async (t) => {
  const channel = channelName();
  const page = await open(t, channel);
  const burst = Array.from({ length: 1_000 }, (_, index) => ({ name: "flood", data: { index } }));
  for (let round = 0; round < 30; round += 1) await publish(channel, burst);
  await publish(channel, { name: "last", data: "the last one" });
  await messages(page).filter({ hasText: "the last one" }).waitFor();
  assert((await messages(page).count()) <= 150);
  await page.locator("#messages-count", { hasText: "the last 500 kept" }).waitFor();
  await page.getByLabel("Filter").fill("the last one");
  await messages(page).nth(1).waitFor({ state: "detached" });
});

test("it comes back by itself when the page's connection is lost, and misses nothing", async (t) => {
  const channel = channelName();
  await publish(channel, { name: "before" });
  const page = await open(t, channel);
  await messages(page).first().waitFor();
  const response = await fetch(`http://127.0.0.1:${port}/control/faults`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ kind: "drop-connections" }),
  });
  assert.equal(response.status, 201, await response.text());
  await publish(channel, { name: "after" });
  await messages(page).filter({ hasText: "after" }).waitFor();
  assert.equal(await messages(page).count(), 2, "and nothing twice");
});

test("it is used by the keyboard alone", async (t) => {
  const [one, two] = [`keys:1:${channelName()}`, `keys:2:${channelName()}`];
  await publish(one, { name: "x" });
  await publish(two, { name: "y" });
  const page = await open(t);
  await page.getByLabel("Filter").fill("keys:");
  await page.locator("#channels-count", { hasText: "2 of" }).waitFor();
  await page.locator("#channels-list button").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator("#channel-line", { hasText: two }).waitFor();
  await page.getByLabel("Filter").fill("");
  await messages(page).first().locator("summary").focus();
  await page.keyboard.press("Enter");
  await messages(page).first().locator("pre").waitFor();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`on a phone everything fits, and can be read (${colorScheme})`, async (t) => {
    const channel = channelName();
    await publish(channel, { name: "x".repeat(200), data: { long: "y".repeat(2_000) } });
    const page = await open(t, channel, { viewport: { width: 360, height: 740 }, colorScheme });
    await messages(page).first().locator("summary").click();
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.equal(await wide(), 0);
    const [ground, text] = await page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color].map((value) => (value.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0));
    });
    assert(ground !== undefined && text !== undefined);
    assert.equal(ground > text, colorScheme === "light");
  });
}
