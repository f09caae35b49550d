// What README, docs/nextjs.md and the client's README say to paste, pasted into an empty Next.js app, which is built and opened.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import type { Page } from "playwright-core";
import { Parts } from "../../../scripts/dev/parts.mjs";
import { freePort } from "../../../scripts/dev/ports.mjs";
import { environment, ROOT } from "../../../scripts/setup/environment.mjs";
import { LocalAbly } from "../../e2e/support/ably.ts";
import { eventually } from "../../e2e/support/wait.ts";
import { Watcher } from "../../e2e/support/watcher.ts";
import { startWorkerd } from "../../e2e/support/workerd.ts";
import { unique, World } from "../../e2e/support/world.ts";
import { launchBrowser } from "../../local-ably/browser.ts";
import { filesOf } from "../../scripts/support/documents.ts";
import { Journey } from "../browser/support/platform.ts";
import { linkApp, NEXT, pack, Project } from "./project.ts";

const DOCUMENTS = ["docs/nextjs.md", "clients/typescript/README.md"];

const folder = mkdtempSync(join(tmpdir(), "towline-pasted-"));
const app = new Project(pack(folder).archive, "pasted", import.meta.dirname);
rmSync(folder, { recursive: true });
const parts = new Parts();
after(async () => {
  await parts.stop();
  app.remove();
});

const files = DOCUMENTS.flatMap((document) => filesOf(join(ROOT, document)));
for (const { path, code } of files) {
  mkdirSync(dirname(join(app.folder, path)), { recursive: true });
  app.write(path, code);
}

const ably = await LocalAbly.start();
const port = await freePort(13_000, "localhost");
const origin = `http://localhost:${port}`;
const world = await World.forThisFile({ SESSION_COOKIE: "session", CORS_ORIGINS: origin }, async () => ably, startWorkerd);
await linkApp(app);
const env = {
  ...environment(),
  NEXT_TELEMETRY_DISABLED: "1",
  NODE_ENV: "production",
  TOWLINE_URL: world.url,
  SESSION_SECRET: world.secret,
  NEXT_PUBLIC_ABLY: JSON.stringify({ endpoint: "127.0.0.1", port: ably.port, tls: false }),
  NEXT_PUBLIC_MAP_STYLE: "/style.json",
};
const built = app.run("node", [NEXT, "build"], env);
assert.equal(built.status, 0, built.said);

// Who signs in is in the app's environment, and their jobs with them.
const driver = unique("driver");
const customer = unique("customer");
const journey = await Journey.begin(world, { driver, customers: [customer] });
parts.start("Next.js", "node", [NEXT, "start", app.folder, "--hostname", "localhost", "--port", String(port)], {
  ...env,
  DEMO_USERS: (/^DEMO_USERS=(.*)$/m.exec(readFileSync(join(ROOT, "docs/nextjs.md"), "utf8"))?.[1] ?? "").replace("customer-1", customer).replace("job-…", journey.job),
}, () => {});
await eventually("Next.js to answer", async () => (await fetch(`${origin}/sign-in`).catch(() => undefined))?.ok || undefined);

const browser = await launchBrowser("--use-angle=swiftshader", "--enable-unsafe-swiftshader");
after(() => browser.close());

async function signedIn(wrong: string[]): Promise<Page> {
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(message.text());
  });
  page.on("pageerror", (error) => wrong.push(error.message));
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel("User").fill(customer);
  await page.getByRole("button").click();
  await page.waitForURL(`${origin}/jobs/${journey.job}`);
  return page;
}

test("README has the map that docs/nextjs.md has", () => {
  const map = files.find(({ path }) => path === "app/vehicle-map.tsx");
  assert.ok(map && readFileSync(join(ROOT, "README.md"), "utf8").includes(`\`\`\`tsx\n${map.code}\`\`\``));
});

test("what is pasted shows where the vehicle is, first in the HTML and then as it drives", async () => {
  const wrong: string[] = [];
  const lat = await journey.drive();
  const page = await signedIn(wrong);
  await page.getByText(`● ${lat}, 16`).waitFor();
  const next = await journey.drive();
  await page.getByText(`● ${next}, 16`).waitFor();
  assert.deepEqual(wrong, []);
  await page.context().close();
});

test("the map of ten lines has a marker, which goes where the vehicle goes, and is gone with the job", async () => {
  const wrong: string[] = [];
  const page = await signedIn(wrong);
  const seen = page.waitForResponse(/maplibre-gl-worker/);
  await page.goto(`${origin}/map/${journey.job}`);
  await seen;
  const marker = page.locator(".maplibregl-marker");
  await marker.waitFor();
  // The map goes with the vehicle, so that the marker stays in its middle.
  const box = await page.locator("#vehicle-map").boundingBox();
  const at = await marker.boundingBox();
  assert.ok(box && at && Math.abs(at.x + at.width / 2 - (box.x + box.width / 2)) < 30, JSON.stringify({ box, at }));
  await journey.close();
  await marker.waitFor({ state: "detached" });
  assert.deepEqual(wrong.filter((text) => !text.includes("403")), []);
  await page.context().close();
});

test("a stream by way of the pasted proxy, which may compress, arrives event by event, and goes on after a break", async () => {
  const sub = unique("customer");
  const { job, drive } = await Journey.begin(world, { customers: [sub] }).then((made) => ({ job: made.job, drive: () => made.drive() }));
  // What a browser says that it takes: this is when Next.js compresses.
  const headers = {
    cookie: `session=${world.session({ role: "customer", sub, jobs: [job] })}`,
    "accept-encoding": "gzip, deflate, br",
    accept: "text/event-stream",
  };
  const first = await Watcher.open(`${origin}/api/jobs/${job}/stream`, headers);
  assert.equal(first.headers.get("content-encoding"), null);
  assert.match(first.headers.get("cache-control") ?? "", /no-transform/);
  await first.sees(1);
  for (let count = 1; count <= 3; count += 1) {
    await drive();
    // Before the next is posted: nothing is held back until there is more.
    await first.sees(1 + count);
    assert.deepEqual([first.events[count]?.name, first.events[count]?.data.seq], ["location.updated", count]);
  }
  first.close();
  await drive();
  const next = await Watcher.open(`${origin}/api/jobs/${job}/stream`, { ...headers, "last-event-id": first.lastId });
  try {
    await next.sees(2);
    assert.deepEqual(next.events.map(({ name, data }) => [name, data.seq]), [["state", 4], ["location.updated", 4]]);
  } finally {
    next.close();
  }
});

test("another site's form signs nobody in", async () => {
  const body = new URLSearchParams({ user: customer });
  const answer = await fetch(`${origin}/sign-in/as`, { method: "POST", body, headers: { origin: "http://localhost:1" }, redirect: "manual" });
  assert.equal(answer.status, 403);
  assert.equal(answer.headers.get("set-cookie"), null);
});
