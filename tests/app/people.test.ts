// Two people, one browser: nothing of the first is in what the second sees, sends or finds there.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { APP } from "../../scripts/setup/app.mjs";
import { eventually } from "../e2e/support/wait.ts";
import { App } from "./support/app.ts";
import { asked, stored } from "./support/left.ts";
import { REFUSED, type Tab } from "./support/visit.ts";

// A page that does not come from the network by itself counts as one of the wide world, which may not ask this machine for anything.
const app = await App.start({ browser: ["--disable-features=LocalNetworkAccessChecks"] });

/** What a page asks for that comes back to nobody. */
const SIGNED_OUT = [/status of 401 .*\/(api\/|session)/, /Ably: .*"statusCode":401/];

/** What her positions begin with, and his. */
const [HERS, HIS] = [47.47, 12.34];

/** Who goes, and whose page it was. */
const FIRST = {
  "a customer": { id: "ann", name: "Ann", at: (job: string) => `/jobs/${job}` },
  "a dispatcher": { id: "dora", name: "Dora", at: (job: string) => `/board/${job}` },
};

/** The one who goes, and Ben, each with a vehicle under way. */
async function two(t: TestContext, first: (typeof FIRST)[keyof typeof FIRST]) {
  const hers = await app.job({ driver: "driver-01", customers: ["ann"], from: HERS });
  const his = await app.job({ driver: "driver-02", customers: ["ben"], from: HIS });
  t.after(() => Promise.all([hers.close(), his.close()]));
  for (const journey of [hers, his]) await journey.drive(2);
  const visit = await app.visit(t);
  visit.announce(...REFUSED);
  await visit.signIn(first.id);
  const tab = await visit.open(first.at(hers.job));
  await sees(tab, hers.job);
  // What Ben must not meet. Her name is on the page to sign in, as all are.
  const secrets = [String(HERS), hers.job, `"${first.id}"`];
  const requests = asked(visit);
  return {
    hers,
    his,
    visit,
    tab,
    /** That nothing of hers can be read from there on, or is in the document, or is stored, or was sent, or is heard. */
    async nothingCrossed(since: number, ...tabs: Tab[]) {
      // Something new of hers, which must not come.
      await hers.drive();
      await eventually("her connections to end", async () => ((await app.ably.connections(first.id)).length === 0 ? true : undefined));
      for (const { page, text } of visit.read.slice(since)) {
        if (page.endsWith("/sign-in")) continue;
        for (const secret of [...secrets, first.name]) assert.ok(!text.includes(secret), `${secret} could be read at ${page}: ${text}`);
      }
      for (const { page } of tabs) {
        const texts = { document: await page.content(), storage: await stored(visit, page) };
        // What he asks for by its address is in it; nothing else of hers is.
        const own = page.url().includes(hers.job) ? secrets.filter((secret) => secret !== hers.job) : secrets;
        for (const [where, text] of Object.entries(texts)) for (const secret of own) assert.ok(!text.includes(secret), `${secret} is in the ${where}`);
      }
      const answered = (await requests()).filter(({ status }) => status !== 403);
      for (const { as, session, path, status } of answered) assert.ok(as === undefined || as === session, `${path} was asked as ${as}, with the session of ${session}, and answered ${status}`);
      assert.ok(answered.some(({ session }) => session === "ben"));
    },
  };
}

/** Waits until a tab shows the vehicle of a job. */
function sees({ page }: Tab, job: string) {
  return page.locator(`[data-view] [data-job="${job}"]`).waitFor();
}

/** Signs in as Ben, by the page for that. */
async function benSignsIn({ page }: Tab) {
  await page.getByRole("button", { name: "Ben" }).click();
}

for (const [who, first] of Object.entries(FIRST)) {
  test(`${who} signs out and another signs in on the same page`, async (t) => {
    const { his, visit, tab, nothingCrossed } = await two(t, first);
    await tab.page.getByRole("button", { name: "Sign out" }).click();
    await tab.page.waitForURL("**/sign-in");
    assert.deepEqual(await visit.context.cookies(), []);
    const since = visit.read.length;
    await benSignsIn(tab);
    // The page that is his at once, or by one more step.
    await sees(tab, his.job);
    await nothingCrossed(since, tab);
    await tab.page.goBack({ waitUntil: "commit" });
    await tab.page.waitForURL("**/sign-in");
    await tab.page.goBack({ waitUntil: "commit" }).catch(() => {});
    await tab.page.goto(`/jobs/${his.job}`);
    await sees(tab, his.job);
    await nothingCrossed(since, tab);
  });

  test(`another signs in in a second tab while the first, ${who}'s, is open`, async (t) => {
    const { hers, his, visit, tab, nothingCrossed } = await two(t, first);
    const second = await visit.open("/sign-in");
    await benSignsIn(second);
    await sees(second, his.job);
    await eventually("the first tab to show nothing of hers", async () => ((await tab.page.locator(`[data-job="${hers.job}"]`).count()) === 0 ? true : undefined));
    await tab.page.waitForLoadState();
    const since = visit.read.length;
    await his.drive();
    await nothingCrossed(since, tab, second);
  });
}

/** What the page to sign in says, which has all names. */
const PICKER = "Whoever opens this page can be anybody";

/** How somebody stops being signed in, on the page of a job that is open or closed. */
const WAYS_OUT = {
  "signed out there, of a job that is closed": {
    isClosed: true,
    async leave({ page }: Tab) {
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.waitForURL("**/sign-in");
    },
  },
  "left it, and is not signed in any more, of a job that is open": {
    isClosed: false,
    async leave({ page, visit }: Tab) {
      await page.goto("/sign-in");
      await visit.context.clearCookies();
    },
  },
};

for (const [how, { isClosed, leave }] of Object.entries(WAYS_OUT)) {
  test(`the way back shows nothing of a page that the browser has kept, where a dispatcher has ${how}`, async (t) => {
    const journey = await app.job({ driver: "driver-01", customers: ["ann"], from: HERS });
    t.after(() => journey.close());
    await journey.drive(2);
    if (isClosed) await journey.close();
    const visit = await app.visit(t);
    visit.announce(...REFUSED, ...SIGNED_OUT);
    await visit.signIn("dora");
    // Safari keeps a page whatever its headers say; Chromium one without `no-store`.
    await visit.context.route(`**/board/${journey.job}`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), "cache-control": "private" } });
    });
    const tab = await visit.open(`/board/${journey.job}`);
    await visit.context.unrouteAll({ behavior: "ignoreErrors" });
    const { page } = tab;
    await tab.sees(isClosed ? "Closed" : "Version");
    // A page that is left while it connects, or asks, is not kept.
    if (!isClosed) await tab.sees(String(await journey.drive()));
    await page.waitForLoadState("networkidle");
    const secrets = [String(HERS), "Ada", "Ann"];
    for (const secret of secrets) assert.ok((await page.innerText("body")).includes(secret), `${secret} is there at first`);
    await page.evaluate(() => addEventListener("pageshow", ({ persisted }) => persisted && sessionStorage.setItem("atFirst", document.body.innerText)));
    await leave(tab);
    const since = visit.read.length;
    await page.goBack({ waitUntil: "commit" });
    const atFirst = await eventually("the page that the browser has kept", () => page.evaluate(() => sessionStorage.getItem("atFirst") ?? undefined).catch(() => undefined));
    await tab.reads("body", new RegExp(`You are signed out|${PICKER}`));
    for (const secret of secrets.slice(0, 2)) {
      assert.ok(!atFirst.includes(secret), `${secret} is seen as the page comes back: ${atFirst}`);
      for (const { text } of visit.read.slice(since)) assert.ok(text.includes(PICKER) || !text.includes(secret), `${secret} could be read: ${text}`);
    }
    if (isClosed) assert.ok(!(await tab.markup()).includes(String(HERS)), "there is no latitude");
  });
}

test("what anybody may load without signing in has nobody's name in it", () => {
  const folder = join(APP, ".next", "static");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(files.length > 0);
  for (const { parentPath, name } of files) assert.ok(!readFileSync(join(parentPath, name), "latin1").includes("Katya"), name);
});
