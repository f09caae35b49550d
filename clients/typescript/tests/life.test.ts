// What the page does, what other tabs say, and signing out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createTowline, type Towline, type TowlineOptions } from "../src/client/index.ts";
import { platform } from "../src/client/platform.ts";
import { browserTabs, onTab, playedClock, settled, shownPage } from "./support/platform.ts";

type Browser = ReturnType<typeof browserTabs>;

const ok = () => Response.json({});
const anotherUser = () => Response.json({ type: "urn:towline:problem:session_of_another_user" }, { status: 403 });
const jwt = (sub: string) => `e30.${Buffer.from(JSON.stringify({ sub })).toString("base64url")}.s`;

/** A tab of a browser, in which the session is a cookie, and what is told in it. */
function tab(options: Partial<TowlineOptions> = {}, browser: Browser = browserTabs(), answer: () => Response | Promise<Response> = ok) {
  const clock = playedClock();
  const shown = shownPage();
  const asked: string[] = [];
  const told: string[] = [];
  const on = onTab({
    page: shown.page,
    clock,
    tabs: browser.tabs,
    fetch: async (url) => {
      asked.push(String(url));
      told.push("asked");
      return answer();
    },
  });
  const towline = createTowline({ url: "", cookies: true, user: "ann", ...options } as TowlineOptions, on);
  const watch = () => towline.live({ erase: () => void told.push("erase"), refresh: () => void told.push("refresh"), stop: () => void told.push("stop") });
  return { towline, shown, clock, told, asked, browser, watch };
}

test("the page is listened to from the first who wants to know until the client is closed", () => {
  const { towline, shown, watch, browser } = tab();
  assert.equal(shown.listened(), 0);
  watch();
  watch();
  towline.visible.subscribe(() => {});
  assert.equal(shown.listened(), 4);
  towline.close();
  assert.equal(shown.listened(), 0);
  assert.equal(browser.count(), 0);
  watch();
  assert.equal(shown.listened(), 0);
});

test("whether the page is seen", () => {
  const { towline, shown } = tab();
  const seen: boolean[] = [];
  assert.equal(towline.visible.get(), true);
  const off = towline.visible.subscribe(() => void seen.push(towline.visible.get()));
  shown.hide();
  assert.equal(towline.visible.get(), false);
  shown.show();
  shown.show();
  off();
  shown.hide();
  assert.deepEqual(seen, [false, true]);
});

test("after a short look elsewhere it is asked whose session it is, and nothing is erased", async () => {
  const { shown, clock, told, watch } = tab();
  watch();
  shown.hide();
  await clock.play(9_999);
  shown.show();
  await settled();
  assert.deepEqual(told, ["asked"]);
});

test("after a long one nothing is shown until it is known whose session it is", async () => {
  let give: (response: Response) => void = () => {};
  const { shown, clock, told, watch } = tab({}, browserTabs(), () => new Promise((resolve) => (give = resolve)));
  watch();
  shown.hide();
  await clock.play(10_000);
  assert.deepEqual(told, []);
  shown.show();
  await settled();
  assert.deepEqual(told, ["erase", "asked"]);
  give(ok());
  await settled();
  assert.deepEqual(told, ["erase", "asked", "refresh"]);
});

test("a tab whose cookie is another user's by then stops, and shows nothing", async () => {
  const { shown, clock, told, watch, towline } = tab({}, browserTabs(), anotherUser);
  watch();
  shown.hide();
  await clock.play(60_000);
  shown.show();
  await settled();
  assert.deepEqual(told, ["erase", "asked", "stop"]);
  assert.deepEqual(towline.connection.get(), { state: "stopped", reason: "another_user" });
  // It is the page's to say what comes then: a document that always names the same user would be loaded without end.
  assert.deepEqual(shown.loads, []);
});

test("with a JWT each request says whose it is, so nothing has to be asked first", async () => {
  const { shown, clock, told, watch } = tab({ cookies: undefined, user: undefined, getSession: async () => jwt("ann"), eventSource: () => assert.fail() } as unknown as Partial<TowlineOptions>);
  watch();
  shown.hide();
  await clock.play(60_000);
  shown.show();
  await settled();
  assert.deepEqual(told, ["refresh"]);
});

test("a page that is put away is erased before it goes, and asks before it shows anything again", async () => {
  const { shown, told, watch } = tab();
  watch();
  shown.fire("pagehide", true);
  assert.deepEqual(told, ["erase"]);
  shown.fire("pageshow", false);
  await settled();
  assert.deepEqual(told, ["erase"]);
  shown.fire("pageshow", true);
  await settled();
  assert.deepEqual(told, ["erase", "erase", "asked", "refresh"]);
});

test("the network is back", () => {
  const { shown, told, watch } = tab();
  watch();
  shown.fire("online");
  assert.deepEqual(told, ["refresh"]);
});

test("what one of them throws is kept from no other", (t) => {
  const { shown, told, watch, towline } = tab();
  const reported: (() => void)[] = [];
  t.mock.method(globalThis, "queueMicrotask", (report: () => void) => void reported.push(report));
  const fault = new Error("a fault");
  towline.live({ erase: () => assert.fail(fault) });
  watch();
  shown.fire("pagehide");
  assert.deepEqual(told, ["erase"]);
  assert.throws(() => reported[0]?.(), fault);
});

test("once somebody else's session is confirmed in one tab, the others stop and load anew", async () => {
  const browser = browserTabs();
  const ann = tab({}, browser);
  const annToo = tab({}, browser);
  const eve = tab({ user: "eve" } as Partial<TowlineOptions>, browser);
  ann.watch();
  await settled();
  // A page that names a user has not shown that there is a session of theirs.
  assert.deepEqual(ann.told, []);
  await eve.towline.http({ path: "/api/x" });
  await eve.towline.http({ path: "/api/x" });
  await settled();
  assert.deepEqual(ann.told, ["stop"]);
  assert.deepEqual(ann.towline.connection.get(), { state: "stopped", reason: "another_user" });
  assert.deepEqual([ann.shown.loads, annToo.shown.loads, eve.shown.loads], [[undefined], [undefined], []]);
  assert.equal(eve.towline.connection.get().state, "connected");
});

test("who the service has told first is loaded anew all the same, once, when the other one's tab is there", async () => {
  const browser = browserTabs();
  const ann = tab({}, browser, anotherUser);
  await ann.towline.http({ path: "/api/x" });
  assert.deepEqual([ann.towline.connection.get().reason, ann.shown.loads], ["another_user", []]);
  const eve = tab({ user: "eve" } as Partial<TowlineOptions>, browser);
  await eve.towline.http({ path: "/api/x" });
  await tab({ user: "joe" } as Partial<TowlineOptions>, browser).towline.http({ path: "/api/x" });
  await settled();
  assert.deepEqual(ann.shown.loads, [undefined]);
});

test("a tab that is refused as another user's, or knows nothing yet, tells no tab anything", async () => {
  const browser = browserTabs();
  const eve = tab({ user: "eve" } as Partial<TowlineOptions>, browser);
  const stale = tab({}, browser, anotherUser);
  const early = tab({}, browser, () => Response.json({ type: "urn:towline:problem:session_missing" }, { status: 401 }));
  const offline = tab({}, browser, () => Promise.reject(new Error("no network")));
  for (const { towline } of [stale, early, offline]) await towline.http({ path: "/api/x" });
  await settled();
  assert.equal(stale.towline.connection.get().reason, "another_user");
  assert.equal(eve.towline.connection.get().state, "idle");
  assert.deepEqual([eve.shown.loads, stale.shown.loads], [[], []]);
});

test("whose cookie it is does not matter to a tab with a session of its own", async () => {
  const browser = browserTabs();
  const ann = tab({ cookies: undefined, getSession: async () => jwt("ann"), user: "ann", eventSource: () => assert.fail() } as unknown as Partial<TowlineOptions>, browser);
  const eve = tab({ user: "eve" } as Partial<TowlineOptions>, browser);
  await eve.towline.http({ path: "/api/x" });
  await settled();
  assert.equal(ann.towline.connection.get().state, "idle");
});

test("tabs of another service are none of its", async () => {
  const browser = browserTabs();
  const ann = tab({}, browser);
  const eve = tab({ user: "eve", url: "https://u.example" } as Partial<TowlineOptions>, browser);
  await eve.towline.http({ path: "/api/x" });
  await settled();
  assert.equal(ann.towline.connection.get().state, "idle");
});

/** A queue with so much in it. */
function queue(towline: Towline, count: number, told: string[]) {
  towline.leaving({
    async leave(ms) {
      told.push(`leave ${ms}`);
      return count;
    },
    resume: () => void told.push("goes on"),
    forget: async () => void told.push("forgotten"),
  });
}

test("signing out: the queue leaves, who asks is told, the session ends, all tabs of the user's are erased and load anew", async () => {
  const browser = browserTabs();
  const { towline, told, watch, shown } = tab({}, browser);
  const annToo = tab({}, browser);
  const byToken = tab({ cookies: undefined, getSession: async () => jwt("bob"), user: "bob", eventSource: () => assert.fail() } as unknown as Partial<TowlineOptions>, browser);
  watch();
  queue(towline, 2, told);
  queue(towline, 1, told);
  const out = await towline.signOut({ endSession: async () => void told.push("ended"), left: (count) => void told.push(`left ${count}`), to: "/bye" });
  assert.equal(out, true);
  assert.deepEqual(told, ["leave 5000", "leave 5000", "left 3", "ended", "stop", "forgotten", "forgotten"]);
  assert.deepEqual(towline.connection.get(), { state: "stopped", reason: "signed_out" });
  assert.deepEqual(annToo.towline.connection.get(), { state: "stopped", reason: "signed_out" });
  assert.equal(byToken.towline.connection.get().state, "idle");
  assert.deepEqual([shown.loads, annToo.shown.loads, byToken.shown.loads], [["/bye"], [undefined], []]);
});

test("what is told last is heard, by tabs as they are", async () => {
  const url = `https://${crypto.randomUUID()}.example`;
  const tabs = { tabs: platform().tabs };
  const one = tab({ url }, tabs as Browser);
  const other = tab({ url }, tabs as Browser);
  const stopped = new Promise<void>((resolve) => void other.towline.live({ stop: resolve }));
  await one.towline.signOut({ endSession: async () => {} });
  await stopped;
  assert.deepEqual(other.towline.connection.get(), { state: "stopped", reason: "signed_out" });
});

test("signing out can be called off, and then nothing has changed", async () => {
  const { towline, told, watch, shown } = tab();
  watch();
  queue(towline, 2, told);
  assert.equal(await towline.signOut({ endSession: () => assert.fail(), left: async () => false }), false);
  assert.deepEqual([told, towline.connection.get().state, shown.loads], [["leave 5000", "goes on"], "idle", []]);
});

test("a session that cannot be ended is still there, with all that is its user's", async () => {
  const { towline, told, watch, shown } = tab();
  watch();
  queue(towline, 2, told);
  const fault = new Error("no network");
  await assert.rejects(towline.signOut({ endSession: () => Promise.reject(fault), left: () => true }), fault);
  assert.deepEqual([told, towline.connection.get().state, shown.loads], [["leave 5000", "goes on"], "idle", []]);
  await assert.rejects(towline.signOut({ endSession: () => assert.fail(), left: () => Promise.reject(fault) }), fault);
  assert.deepEqual(told.slice(2), ["leave 5000", "goes on"]);
  assert.equal(await towline.signOut({ endSession: async () => {}, left: () => true }), true);
});

test("what could not leave is deleted, by who nobody asks too; but not on a page that another user's session has stopped", async () => {
  const unasked = tab();
  queue(unasked.towline, 2, unasked.told);
  assert.equal(await unasked.towline.signOut({ endSession: async () => {} }), true);
  assert.deepEqual([unasked.told, unasked.shown.loads], [["leave 5000", "forgotten"], [undefined]]);
  const empty = tab();
  queue(empty.towline, 0, empty.told);
  await empty.towline.signOut({ endSession: async () => {}, left: () => assert.fail() });
  assert.deepEqual(empty.told, ["leave 5000", "forgotten"]);
  const another = tab({}, browserTabs(), anotherUser);
  queue(another.towline, 2, another.told);
  await another.towline.http({ path: "/api/x" });
  assert.equal(await another.towline.signOut({ endSession: async () => {} }), true);
  assert.deepEqual(another.told, ["asked", "leave 5000"]);
});

test("a storage that does not answer leaves the page not standing", async () => {
  const { towline, shown, clock } = tab();
  towline.leaving({ leave: async () => 1, resume() {}, forget: () => new Promise(() => {}) });
  const out = towline.signOut({ endSession: async () => {}, left: () => true });
  await clock.play(1_999);
  assert.equal(towline.connection.get().state, "stopped");
  assert.deepEqual(shown.loads, []);
  await clock.play(1);
  assert.deepEqual(shown.loads, [undefined]);
  await out;
});

test("a storage that cannot say what it has keeps nobody from signing out, is asked about, and is not emptied", async () => {
  const alone = tab();
  alone.towline.leaving({ leave: () => Promise.reject(new Error("broken")), resume: () => void alone.told.push("goes on"), forget: () => assert.fail() });
  assert.equal(await alone.towline.signOut({ endSession: () => assert.fail(), left: (count) => alone.told.push(`left ${count}`) === 0 }), false);
  assert.deepEqual(alone.told, ["left 0", "goes on"]);
  const { towline, shown, clock, told } = tab();
  towline.leaving({ leave: () => Promise.reject(new Error("broken")), resume: () => assert.fail(), forget: () => assert.fail() });
  towline.leaving({ leave: () => new Promise(() => {}), resume: () => assert.fail(), forget: async () => void told.push("emptied") });
  queue(towline, 1, told);
  const out = towline.signOut({ endSession: async () => {}, left: (count) => void told.push(`left ${count}`) });
  await clock.play(6_999);
  assert.deepEqual(told, ["leave 5000"]);
  await clock.play(1);
  assert.equal(await out, true);
  assert.deepEqual([told, shown.loads], [["leave 5000", "left 1", "forgotten"], [undefined]]);
});

test("who signs out twice signs out once", async () => {
  const { towline, shown } = tab();
  let ended = 0;
  const endSession = async () => void (ended += 1);
  await Promise.all([towline.signOut({ endSession }), towline.signOut({ endSession })]);
  assert.deepEqual([ended, shown.loads], [1, [undefined]]);
});

test("a client that has stopped can be signed out of", async () => {
  const { towline, shown } = tab({}, browserTabs(), anotherUser);
  await towline.http({ path: "/api/x" });
  assert.equal(await towline.signOut({ endSession: async () => {} }), true);
  assert.deepEqual([towline.connection.get().reason, shown.loads], ["another_user", [undefined]]);
});

test("there is one thing of a name", () => {
  const { towline } = tab();
  let made = 0;
  const make = () => ({ made: (made += 1) });
  assert.equal(towline.one("a", make), towline.one("a", make));
  assert.notEqual(towline.one("a", make), towline.one("b", make));
  assert.equal(made, 2);
});
