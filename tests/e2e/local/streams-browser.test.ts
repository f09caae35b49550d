// A stream in a real browser, read as README says: by its own EventSource, with the session's cookie, over a network that is cut, and past
// the end of a session.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { launchBrowser } from "../../local-ably/browser.ts";
import { startAbly } from "../support/ably.ts";
import { post } from "../support/driving.ts";
import { Relay } from "../support/relay.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd } from "../support/workerd.ts";
import { COOKIE, unique, World } from "../support/world.ts";

/** What the page notes of each event. */
type Seen = [name: string, id: string, seq: number | undefined, reason: string | undefined];

declare const seen: Seen[];
declare const stream: EventSource;

const world = await World.forThisFile({}, startAbly, startWorkerd);
const relay = await Relay.to(Number(new URL(world.url).port));
const browser = await launchBrowser();
after(async () => {
  await browser.close();
  relay.stop();
});

test("a browser's EventSource goes on over a cut and under the next session, and stops where access ends", async () => {
  const job = unique("job");
  const driver = world.session({ role: "driver", jobs: [job] });
  const sub = unique("customer");
  const context = await browser.newContext();
  const signIn = (seconds: number) => context.addCookies([{ name: COOKIE, value: world.session({ role: "customer", jobs: [job], sub, seconds }), url: relay.url, httpOnly: true }]);
  const page = await context.newPage();
  const refused: number[] = [];
  page.on("response", (response) => void (response.status() === 200 || refused.push(response.status())));
  await post(world, driver, job, { lat: 1, lng: 2 });
  // Long enough for a slow machine to open the page.
  await signIn(10);
  await page.goto(`${relay.url}/healthz`);
  await page.evaluate((path) => {
    const [seen, stream] = [[] as Seen[], new EventSource(path)];
    for (const name of ["state", "location.updated", "resync", "end"]) {
      stream.addEventListener(name, ({ data, lastEventId }) => {
        const { seq, reason } = JSON.parse(data);
        seen.push([name, lastEventId.slice(lastEventId.indexOf(".") + 1), seq, reason]);
        if (name === "end" && reason !== "expired" && reason !== "slow") stream.close();
      });
    }
    Object.assign(window, { seen, stream });
  }, `/api/jobs/${job}/stream`);
  const sees = (what: string, count: number) =>
    eventually(what, async () => {
      const all = await page.evaluate(() => seen);
      return all.length >= count ? all : undefined;
    });
  await sees("the first state", 1);
  await post(world, driver, job, { lat: 2, lng: 2 });
  await sees("an event", 2);
  // Signed in again before the first session ends, as a page's server does.
  await signIn(3_600);
  await sees("the end of the session, and the state under the next", 4);
  relay.cut();
  await post(world, driver, job, { lat: 3, lng: 2 });
  relay.open();
  assert.deepEqual(await sees("what has come meanwhile", 6), [
    ["state", "1", 1, undefined],
    ["location.updated", "2", 2, undefined],
    ["end", "2", undefined, "expired"],
    ["state", "2", 2, undefined],
    ["state", "2", 3, undefined],
    ["location.updated", "3", 3, undefined],
  ]);
  await registerForOthers(job);
  const ended = await sees("the end", 7);
  assert.deepEqual(ended.at(-1), ["end", "3", undefined, "removed"]);
  assert.equal(await page.evaluate(() => stream.readyState), 2);
  assert.deepEqual(refused, []);
});

/** The platform registers the job, and nobody who has it by a claim takes part any more. */
async function registerForOthers(job: string) {
  const headers = { authorization: `Bearer ${world.session({ role: "service" })}` };
  const body = JSON.stringify({ driver: null, customers: [] });
  const answer = await fetch(`${world.url}/api/jobs/${job}`, { method: "PUT", headers, body });
  assert.equal(answer.status, 201, await answer.text());
}
