// `npm run bench:board`: the dispatcher's board of the app with 200 jobs whose vehicles all move, each posting every 5 s: what the page
// costs (its renderer and the GPU process, which here is software, with markers that glide), how many messages it gets from Ably, whether it
// ever stops for long, and whether its memory grows. It ends with 1 where one of the bounds is exceeded.
//
// Given a folder that Wrangler has bundled a build into, it measures that one: `npm run bench:board -- --minutes 10 FOLDER`.

import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startApp } from "../scripts/dev/app.mjs";
import { Parts } from "../scripts/dev/parts.mjs";
import { freePort } from "../scripts/dev/ports.mjs";
import { buildApp } from "../scripts/setup/app.mjs";
import { Failure, log, script } from "../scripts/setup/steps.mjs";
import { launchBrowser } from "../tests/local-ably/browser.ts";
import { setStage } from "./fleet/stage.mjs";
import { cpuSeconds, endWithUs } from "./processes.mjs";
import { driverSession, SESSION_SECRET } from "./workerd.mjs";

const JOBS = 200;
const EVERY_MS = 5_000;
/** Until code that runs often is compiled, and what is loaded late is there. */
const WARM_UP_MS = 20_000;
const FIRST_PORT = 18_700;

/** What must hold: in percent of a core, messages a second, tasks of over 100 ms, MiB that the heap grows by. */
const BOUNDS = { cpu: 25, messages: 50, long: 0, growth: 5 };
const LONG_MS = 100;

const { values, positionals } = parseArgs({ options: { minutes: { type: "string", default: "1" } }, allowPositionals: true });
const minutes = Number(values.minutes);

await script(async () => {
  if (!(minutes > 0)) throw new Failure(`--minutes is "${values.minutes}", and has to be a number above 0.`);
  endWithUs();
  await buildApp();
  const port = await freePort(FIRST_PORT, "localhost");
  const stage = await setStage({ towline: positionals[0], mode: "direct", limits: "standard" }, { SESSION_COOKIE: "session", CORS_ORIGINS: `http://localhost:${port}` });
  const parts = new Parts();
  const browser = await launchBrowser("--use-angle=swiftshader", "--enable-unsafe-swiftshader");
  const fleet = new AbortController();
  try {
    const ably = { endpoint: "127.0.0.1", port: stage.ably.port, tls: false };
    const { url } = await startApp(parts, { port, towline: stage.workerd.url, sessionSecret: SESSION_SECRET, ably });
    for (let n = 0; n < JOBS; n += 1) await register(stage.workerd.url, n);
    const driving = drive(stage.workerd.url, fleet.signal);
    const measured = await Promise.race([measure(browser, url), driving]);
    return told(measured ?? fail());
  } finally {
    fleet.abort();
    await browser.close();
    await parts.stop();
    await stage.workerd.kill();
    await stage.ably.kill();
  }
});
process.exit();

/** @returns {never} */
function fail() {
  throw new Failure("The vehicles have stopped.");
}

/** @param {number} n */
function idOf(n) {
  return `board-${String(n).padStart(3, "0")}`;
}

/**
 * @param {string} url
 * @param {number} n
 */
async function register(url, n) {
  const headers = { authorization: driverSession([], "dora", "dispatcher") };
  await ask(`${url}/api/jobs/${idOf(n)}`, { method: "PUT", headers, body: JSON.stringify({ driver: `driver-of-${n}`, customers: [] }) });
}

/**
 * All vehicles drive around, each in a circle of its own, until they are told to stop.
 * @param {string} url
 * @param {AbortSignal} signal
 */
async function drive(url, signal) {
  const sessions = Array.from({ length: JOBS }, (_, n) => driverSession([idOf(n)], `driver-of-${n}`));
  const began = performance.now();
  /** @type {unknown} */
  let failed;
  for (let post = 0; ; post += 1) {
    await delay(Math.max(0, began + (post * EVERY_MS) / JOBS - performance.now()));
    if (failed) throw failed;
    if (signal.aborted) return undefined;
    const n = post % JOBS;
    const angle = ((post / JOBS) * EVERY_MS) / 60_000 + n;
    const fix = {
      lat: 48.1 + Math.floor(n / 20) / 50 + Math.sin(angle) / 200,
      lng: 16.2 + (n % 20) / 40 + Math.cos(angle) / 200,
      heading: (360 - (angle * 180) / Math.PI + 3600) % 360,
      speed: 9,
      capturedAt: Date.now(),
    };
    // The next vehicle does not wait for the answer to this one.
    const request = { method: "POST", headers: { authorization: sessions[n] ?? "" }, body: JSON.stringify(fix) };
    ask(`${url}/api/jobs/${idOf(n)}/location`, request).catch((error) => (failed ??= error));
  }
}

/**
 * @param {string} url
 * @param {RequestInit} request
 */
async function ask(url, request) {
  const response = await fetch(url, request);
  const text = await response.text();
  if (!response.ok) throw new Failure(`${request.method} ${new URL(url).pathname} is answered ${response.status}: ${text}`);
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 */
async function measure(browser, url) {
  const context = await browser.newContext({ baseURL: url, viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  let messages = 0;
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => {
      const frame = JSON.parse(String(payload));
      messages += frame.messages?.length ?? 0;
    });
  });
  await context.request.post("/session/sign-in", { form: { id: "dora", to: "/sign-in" }, headers: { origin: url } });
  await page.goto("/board");
  await page.waitForFunction((jobs) => document.querySelectorAll("[data-view] [data-job]").length >= jobs, JOBS, { timeout: 120_000 });
  await delay(WARM_UP_MS);

  await page.evaluate(() => {
    const long = /** @type {number[]} */ ([]);
    Object.assign(window, { long });
    new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  });
  const [devtools, system] = [await context.newCDPSession(page), await browser.newBrowserCDPSession()];
  const heap = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    return (await devtools.send("Runtime.getHeapUsage")).usedSize / 2 ** 20;
  };
  const { processInfo } = await system.send("SystemInfo.getProcessInfo");
  const spent = (/** @type {RegExp} */ type) => processInfo.filter((one) => type.test(one.type)).reduce((sum, { id }) => sum + cpuSeconds(id), 0);
  const before = await heap();
  const at = { now: performance.now(), messages, page: spent(/renderer/i), gpu: spent(/gpu/i) };
  await delay(minutes * 60_000);
  const seconds = (performance.now() - at.now) / 1_000;
  const share = { page: (100 * (spent(/renderer/i) - at.page)) / seconds, gpu: (100 * (spent(/gpu/i) - at.gpu)) / seconds };
  const perSecond = (messages - at.messages) / seconds;
  const tasks = await page.evaluate(() => /** @type {{ long: number[] }} */ (/** @type {unknown} */ (window)).long);
  return { seconds, share, perSecond, tasks: tasks.filter((ms) => ms > LONG_MS), before, after: await heap() };
}

/** @param {Awaited<ReturnType<typeof measure>>} measured */
function told({ seconds, share, perSecond, tasks, before, after }) {
  const cpu = share.page + share.gpu;
  const growth = after - before;
  /** @type {[boolean, string][]} */
  const lines = [
    [cpu <= BOUNDS.cpu, `CPU        ${cpu.toFixed(1)} % of a core: renderer ${share.page.toFixed(1)}, GPU process ${share.gpu.toFixed(1)} (at most ${BOUNDS.cpu})`],
    [perSecond < BOUNDS.messages && perSecond > 0, `from Ably  ${perSecond.toFixed(1)} messages a second (below ${BOUNDS.messages})`],
    [tasks.length <= BOUNDS.long, `long tasks ${tasks.length} of over ${LONG_MS} ms${tasks.length ? `: ${tasks.map(Math.round).join(", ")} ms` : ""} (none)`],
    [growth <= BOUNDS.growth, `JS heap    ${before.toFixed(1)} MiB, and ${after.toFixed(1)} MiB at the end (at most ${BOUNDS.growth} more)`],
  ];
  log(`The board with ${JOBS} jobs, a fix every ${EVERY_MS / 1_000} s each, over ${Math.round(seconds)} s:`);
  for (const [holds, line] of lines) log(`${holds ? "  " : "! "}${line}`);
  return lines.every(([holds]) => holds) ? 0 : 1;
}
