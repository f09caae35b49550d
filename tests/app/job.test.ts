// A job's page for dispatchers: what they change, what somebody else changes meanwhile, its past, and its end.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { toJobId } from "@towline/client";
import type { BrowserContextOptions, Page } from "playwright-core";
import { post } from "../e2e/support/driving.ts";
import { eventually } from "../e2e/support/wait.ts";
import { unique } from "../e2e/support/world.ts";
import { App } from "./support/app.ts";

// What the test itself answers comes from no address that Chromium knows: it would let it reach nothing on this device.
const app = await App.start({ browser: ["--disable-features=LocalNetworkAccessChecks"] });

const HOUR = 3_600_000;

interface Registered {
  state: string;
  driver: string | null;
  customers: string[];
  place?: { lat: number; lng: number };
  endsAt: number;
  dispatchId?: string;
  gate?: { customer: object };
}

/** What the platform does, besides this page. */
async function ask(method: string, path: string, body?: object): Promise<Registered> {
  const headers = { authorization: `Bearer ${app.world.session({ role: "service" })}` };
  const answer = await fetch(`${app.world.url}/api/jobs/${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return (await answer.json()) as Registered;
}

/** A job with all that may be registered of one. */
async function registered(change: object = {}) {
  const job = unique("job");
  const all = {
    driver: "driver-01",
    customers: ["ann"],
    place: { lat: 10.5, lng: 16 },
    endsAt: Date.now() + 5 * HOUR,
    dispatchId: "west",
    gate: { customer: { within: 2_000 } },
    ...change,
  };
  await ask("PUT", job, all);
  return { job, all };
}

async function drive(job: string, fixes: object[], driver = "driver-01") {
  const { results } = await post(app.world, app.world.session({ role: "driver", sub: driver }), job, { locations: fixes });
  for (const { status } of results) assert.equal(status, "accepted");
}

/** Three fixes at 40 km/h, 2 s apart, the last one now: a job takes none that is much older than itself. */
const way = () => [0, 1, 2].map((n) => ({ lat: 10 + n * 0.0002, lng: 16, capturedAt: Date.now() - 4_000 + n * 2_000 }));

async function board(t: TestContext, job: string, options: BrowserContextOptions = {}) {
  const visit = await app.visit(t, options);
  // Where scripts are off, those that the page would load ahead are refused, too.
  if (options.javaScriptEnabled === false) visit.announce(/_next\/static\/\S+: csp$/);
  await visit.signIn("dora");
  return visit.open(`/board/${job}`);
}

const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent);

const change = (page: Page) => page.getByRole("button", { name: "Change", exact: true }).click();

test("without a script it says what is known, and changes it, and a change keeps what its form does not show", async (t) => {
  const { job, all } = await registered();
  await drive(job, way());
  const tab = await board(t, job, { javaScriptEnabled: false });
  const text = await tab.sees(/Live[\s\S]*10\.00040, 16\.00000[\s\S]*Ada[\s\S]*Ann/);
  assert.doesNotMatch(text, /No trail/, "nobody has looked yet");
  assert.match(text, /as it was when the page was loaded/);
  await tab.page.getByRole("combobox", { name: "Driver" }).selectOption("driver-02");
  await tab.page.getByLabel("Latitude").fill("11,25");
  await change(tab.page);
  await tab.sees("Changed.");
  const { driver, place, customers, endsAt, dispatchId, gate } = await ask("GET", job);
  const { within } = gate!.customer as { within: number };
  assert.deepEqual({ driver, place, customers, endsAt, dispatchId, gate: { customer: { within } } }, { ...all, driver: "driver-02", place: { lat: 11.25, lng: 16 } });

  // Nothing waits there, so a box has to be ticked.
  await tab.page.getByLabel("Cancelled").check();
  await tab.page.getByLabel("I am sure").check();
  await tab.page.getByRole("button", { name: "Close the job" }).click();
  await tab.sees("Closed: cancelled");
});

for (const javaScriptEnabled of [true, false]) {
  test(`what somebody else has changed meanwhile is shown, and what was typed is kept, ${javaScriptEnabled ? "with" : "without"} a script`, async (t) => {
    const { job, all } = await registered();
    const tab = await board(t, job, { javaScriptEnabled });
    const { page } = tab;
    await page.getByLabel("Latitude").fill("12.5");
    await ask("PUT", job, { ...all, driver: "driver-03", customers: ["ann", "ben"] });
    // Live, the page says so at once; what is being typed stays.
    if (javaScriptEnabled) await tab.sees(/Driver\s+Chidi/);
    assert.equal(await page.getByLabel("Latitude").inputValue(), "12.5");
    await change(page);
    await tab.sees("Somebody else has changed this job meanwhile");
    const shown = await page.getByRole("group", { name: "Somebody else" }).innerText();
    assert.match(shown, /Driver\s+There is now: Chidi\s+Before: Ada/);
    assert.match(shown, /Customers\s+There is now: Ann, Ben\s+Before: Ann/);
    assert.match(shown, /Place\s+There is now: 10\.50000, 16\.00000\s+You want: 12\.50000, 16\.00000/);
    assert.equal((await ask("GET", job)).place?.lat, 10.5, "nothing is applied yet");
    if (javaScriptEnabled) assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("role")), "group");
    assert.equal(await page.getByLabel("Latitude").inputValue(), "12.5");
    assert.equal(await page.getByRole("combobox", { name: "Driver" }).inputValue(), "driver-03");

    await page.getByRole("button", { name: "Apply mine" }).click();
    await tab.sees("Changed.");
    const { driver, place, customers } = await ask("GET", job);
    assert.deepEqual({ driver, place, customers }, { driver: "driver-03", place: { lat: 12.5, lng: 16 }, customers: ["ann", "ben"] });

    // And the other way: theirs.
    await page.getByRole("combobox", { name: "Driver" }).selectOption("");
    await ask("PUT", job, { ...all, driver: "driver-04" });
    await change(page);
    await tab.sees(/There is now: Dalia\s+You want: nobody/);
    await page.getByRole("button", { name: "Leave it" }).click();
    await page.getByRole("group", { name: "Somebody else" }).waitFor({ state: "detached" });
    assert.equal(await page.getByRole("combobox", { name: "Driver" }).inputValue(), "driver-04");
    assert.equal((await ask("GET", job)).driver, "driver-04");
    if (javaScriptEnabled) assert.equal(await focused(page), "Change");
  });
}

test("customers come and go, and a job that is full says so", async (t) => {
  const { job } = await registered({ driver: null });
  const tab = await board(t, job);
  const { page } = tab;
  await tab.sees("Needs a driver");
  const name = page.getByLabel("Name or id");
  await name.fill("Ben");
  await name.press("Enter");
  await tab.sees("Ben sees this job.");
  await name.fill("a b");
  await name.press("Enter");
  await tab.sees("without blanks");
  await name.fill("Cleo");
  await name.press("Enter");
  await tab.sees("Cleo sees this job.");
  for (const who of ["Cleo", "Ann"]) {
    await page.locator("summary", { hasText: `Remove ${who}` }).press("Enter");
    await page.getByRole("button", { name: `Remove ${who}` }).press("Enter");
    assert.doesNotMatch(await tab.sees(`${who} does not see this job any more.`), /sees this job\./, "what was said before is over");
  }
  assert.deepEqual((await ask("GET", job)).customers, ["ben"]);
  assert.notEqual(await page.evaluate(() => document.activeElement?.tagName), "BODY", "the focus is not lost with what was removed");

  const full = await registered({ customers: Array.from({ length: 50 }, (_, n) => `customer-${n}`) });
  const other = await board(t, full.job);
  await other.page.getByRole("button", { name: "Make a link" }).click();
  await other.sees("50 customers and links, and no room for more");
  assert.deepEqual(await other.page.getByLabel("Copy it now").count(), 0);
});

test("the slider goes back by keys, and a time that was chosen stays", async (t) => {
  const { job } = await registered();
  await drive(job, way());
  const tab = await board(t, job);
  const slider = tab.page.getByRole("slider", { name: "Look back" });
  const said = tab.page.locator("output");
  await slider.waitFor();
  await tab.reads(said, "Live");
  const marker = tab.page.locator("[data-job]");
  await marker.waitFor();
  assert.equal(await marker.getAttribute("data-job"), job);

  await slider.press("Home");
  await slider.press("ArrowRight");
  // A second after the first, half way to the next.
  const text = await tab.reads(said, "10.00010, 16.00000 · 40 km/h");
  assert.equal(await slider.getAttribute("aria-valuetext"), text);
  await tab.page.getByRole("img", { name: "Where it was" }).waitFor();
  assert.equal(await marker.count(), 1);

  await drive(job, [{ lat: 10.001, lng: 16, capturedAt: Date.now() }]);
  await tab.sees("10.00100, 16.00000");
  assert.equal(await said.innerText(), text, "what is new does not move it");

  await slider.press("End");
  await tab.reads(said, "Live");
  await tab.page.getByRole("img", { name: "Live" }).waitFor();
  await slider.press("ArrowLeft");
  await tab.reads(said, "km/h");
  await tab.page.getByRole("button", { name: "Live" }).click();
  await tab.reads(said, "Live");
});

test("a trail that cannot be had just now is said so, and asked for again", async (t) => {
  const { job } = await registered({ gate: null });
  await drive(job, way());
  await ask("POST", `${job}/close`, { reason: "done" });
  const visit = await app.visit(t);
  visit.announce(/status of 503/);
  await visit.signIn("dora");
  let isFailing = true;
  await visit.context.route(`**/api/jobs/${job}/locations?*`, (route) => (isFailing ? route.fulfill({ status: 503 }) : route.continue()));
  const tab = await visit.open(`/board/${job}`);
  await tab.sees("The trail cannot be had just now");
  assert.equal(await tab.page.getByRole("slider").count(), 0);
  // More than once.
  await tab.page.waitForResponse((answer) => answer.url().includes("/locations?"));
  isFailing = false;
  await tab.page.getByRole("slider", { name: "Look back" }).waitFor();
  assert.doesNotMatch(await tab.page.locator("main").innerText(), /just now/);
});

test("files have the whole trail: each page, and each driver's", async (t) => {
  const { job, all } = await registered({ gate: null });
  // Over a page's end within a driver's time.
  const fixes = Array.from({ length: 1_060 }, (_, n) => ({ lat: 10 + n / 1_000, lng: 16 }));
  for (let n = 0; n < 1_050; n += 50) await drive(job, fixes.slice(n, n + 50));
  await ask("PUT", job, { ...all, driver: "driver-02", gate: null });
  await drive(job, fixes.slice(1_050), "driver-02");
  const tab = await board(t, job);
  await tab.page.getByLabel("Trail of").selectOption({ label: "1. Ada" });
  await tab.reads("output", "The end");

  const save = async (name: string) => {
    const [download] = await Promise.all([tab.page.waitForEvent("download"), tab.page.getByRole("link", { name, exact: true }).click()]);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    return { name: download.suggestedFilename(), text: Buffer.concat(chunks).toString() };
  };
  const lats = fixes.map(({ lat }) => lat);
  const gpx = await save("GPX");
  assert.equal(gpx.name, `Trail ${job}.gpx`);
  assert.equal(gpx.text.match(/<trkseg>/g)?.length, 2, "a segment for each driver");
  assert.deepEqual([...gpx.text.matchAll(/<trkpt lat="([\d.]+)"/g)].map(([, lat]) => Number(lat)), lats);
  assert.match(gpx.text, /^<\?xml .*<\/gpx>$/s);
  const geojson = await save("GeoJSON");
  assert.equal(geojson.name, `Trail ${job}.geojson`);
  assert.deepEqual(JSON.parse(geojson.text).features.map(({ geometry }: { geometry: { coordinates: number[] } }) => geometry.coordinates[1]), lats);
});

test("a job has the name that the platform gave it, and two clicks make one link", async (t) => {
  const job = toJobId(`${unique("Tour")} (west)`);
  await ask("PUT", job, { driver: "driver-01", customers: [] });
  const tab = await board(t, job);
  await tab.reads("h1", / \(west\)$/);
  await tab.page.getByRole("button", { name: "Make a link" }).dblclick();
  await tab.sees("The link is made.");
  assert.equal((await ask("GET", job)).customers.length, 1);
});

test("a close waits for 5 s, may be undone, and is not one where the page is left", async (t) => {
  const { job } = await registered({ gate: null });
  await drive(job, way());
  const tab = await board(t, job);
  const { page } = tab;
  const close = async () => {
    await page.getByLabel("Done").press("Space");
    await page.getByRole("button", { name: "Close the job" }).press("Enter");
    await tab.sees("If you leave this page before, it stays open");
  };
  await close();
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Undo");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Close the job" }).waitFor();
  // Safari keeps a page whatever its headers say, and what waits in it goes on when it comes back; Chromium keeps one without `no-store`.
  await tab.visit.context.route(`**/board/${job}`, async (route) => {
    if (!route.request().isNavigationRequest()) return route.continue();
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "cache-control": "private" } });
  });
  await page.reload();
  await close();
  await page.goto("/sign-in");
  await page.goBack({ waitUntil: "commit" });
  await page.getByRole("button", { name: "Close the job" }).waitFor();
  // Of those two nothing is left that closes it later.
  const other = await board(t, job);
  await other.page.getByLabel("Failed").check();
  await other.page.getByRole("button", { name: "Close the job" }).click();
  await eventually("the job to be closed", async () => ((await ask("GET", job)).state === "closed" ? true : undefined));
  await tab.sees("Closed: failed");
  await eventually("the heading to be focused", async () => ((await focused(other.page)) === "■ Closed: failed" ? true : undefined));
  const texts = other.visit.read.map(({ text }) => text);
  const closing = texts.findIndex((text) => text.includes("Closing …"));
  assert.ok(closing > 0);
  for (const text of texts.slice(closing)) assert.ok(!text.includes("Close the job"), "it is not asked again meanwhile");
  await tab.sees("for ever");
  // What remains.
  assert.equal(await page.getByRole("button", { name: /Change|Close|Make/ }).count(), 0);
  await page.getByRole("slider", { name: "Look back" }).press("Home");
  await tab.reads("output", "10.00000, 16.00000");
});
