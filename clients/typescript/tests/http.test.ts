// The service is asked as one user, and its answers are told apart by what is to be done about them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createTowline, type Towline, type TowlineOptions } from "../src/client/index.ts";
import type { Platform } from "../src/client/platform.ts";
import { browserTabs, onTab, playedClock, settled, shownPage } from "./support/platform.ts";

/** A session of a user's, as far as a client reads it. */
export const jwt = (sub: string, more = "") => `e30.${Buffer.from(JSON.stringify({ sub, role: "driver", name: "ä" })).toString("base64url")}.${more}`;

interface Asked {
  url: string;
  headers: Headers;
  init: RequestInit;
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(status === 204 || status === 304 ? null : JSON.stringify(body), { status, headers: { "content-type": "application/problem+json", ...headers } });
const problem = (status: number, name: string, headers?: Record<string, string>) => json(status, { type: `urn:towline:problem:${name}`, reason: "why" }, headers);

/** A client whose service answers as told. */
function client(options: Partial<TowlineOptions>, answer: (asked: Asked, count: number) => Response | Promise<Response>, parts: Partial<Platform> = {}) {
  const asked: Asked[] = [];
  const clock = playedClock();
  const shown = shownPage();
  const all = { url: "https://t.example", ably: () => Promise.reject(new Error("none")), ...options } as TowlineOptions;
  const on = onTab({
    page: shown.page,
    clock,
    fetch: async (url, init = {}) => {
      const one = { url: String(url), headers: new Headers(init.headers), init };
      asked.push(one);
      return answer(one, asked.length);
    },
    ...parts,
  });
  return { towline: createTowline(all, on), asked, clock, shown, on, all };
}

const ask = (towline: Towline) => towline.http<unknown>({ path: "/api/jobs/j/location" });
const cookies = { cookies: true, user: "ann" } as const;

test("each answer says what is to be done", async () => {
  const cases: [Response, object][] = [
    [json(200, { a: 1 }, { etag: '"3"' }), { is: "ok", status: 200, body: { a: 1 }, etag: '"3"' }],
    [json(304, undefined, { etag: '"3"' }), { is: "ok", status: 304, body: undefined, etag: '"3"' }],
    [json(204, undefined), { is: "ok", status: 204, body: undefined, etag: undefined }],
    [new Response("a.b.c", { headers: { "content-type": "application/jwt" } }), { is: "ok", status: 200, body: "a.b.c", etag: undefined }],
    [problem(403, "job_closed"), { is: "refused", status: 403, type: "job_closed", reason: "why" }],
    [problem(413, "too_large"), { is: "refused", status: 413, type: "too_large", reason: "why" }],
    [json(403, { error: { code: 40160 } }), { is: "refused", status: 403, type: "40160", reason: undefined }],
    [problem(408, "incomplete_body"), { is: "again", status: 408, type: "incomplete_body", reason: "why", afterMs: undefined }],
    [problem(429, "too_fast", { "retry-after": "7" }), { is: "again", status: 429, type: "too_fast", reason: "why", afterMs: 7_000 }],
    [problem(503, "unavailable", { "retry-after": "3000000" }), { is: "again", status: 503, type: "unavailable", reason: "why", afterMs: 300_000 }],
    [problem(503, "unavailable", { "retry-after": "soon" }), { is: "again", status: 503, type: "unavailable", reason: "why", afterMs: undefined }],
    [problem(401, "session_expired"), { is: "again", status: 401, type: "session_expired", reason: "why", afterMs: undefined }],
    // What is not the service's says nothing about a job.
    [new Response("<html>", { status: 200, headers: { "content-type": "text/html" } }), { is: "again", status: 200, type: undefined, reason: undefined, afterMs: undefined }],
    [new Response("<html>", { status: 404, headers: { "content-type": "text/html" } }), { is: "again", status: 404, type: undefined, reason: undefined, afterMs: undefined }],
    [new Response("{", { headers: { "content-type": "application/json" } }), { is: "again", status: undefined, type: undefined, reason: undefined, afterMs: undefined }],
  ];
  for (const [response, expected] of cases) {
    const { towline } = client(cookies, () => response);
    assert.deepEqual(await ask(towline), expected);
    assert.notEqual(towline.connection.get().state, "stopped");
  }
});

test("a request by cookie says whose it is", async () => {
  const { towline, asked } = client(cookies, () => json(200, {}));
  await towline.http({ method: "POST", path: "/api/x", body: { a: 1 }, keepalive: true, etag: '"1"' });
  const [{ url, headers, init }] = asked as [Asked];
  assert.equal(url, "https://t.example/api/x");
  assert.deepEqual([...headers], [["content-type", "application/json"], ["if-none-match", '"1"'], ["towline-user", "ann"]]);
  assert.deepEqual([init.method, init.body, init.credentials, init.keepalive], ["POST", '{"a":1}', "include", true]);
});

test("a request by JWT says whose it is, and sends no cookie", async () => {
  const { towline, asked } = client({ getSession: async () => jwt("ann") }, () => json(200, {}));
  assert.equal(towline.user(), undefined);
  await ask(towline);
  assert.equal(towline.user(), "ann");
  assert.deepEqual([...asked[0]!.headers], [["authorization", `Bearer ${jwt("ann")}`], ["towline-user", "ann"]]);
  assert.equal(asked[0]!.init.credentials, "omit");
});

test("a session that was refused is renewed once, by one for all who ask", async () => {
  const renewals: boolean[] = [];
  const getSession = async (renew: boolean) => {
    if (renew) renewals.push(renew);
    return jwt("ann", renewals.length > 0 ? "new" : "old");
  };
  const { towline, asked } = client({ getSession }, ({ headers }) => (headers.get("authorization")?.endsWith("new") ? json(200, 1) : problem(401, "session_expired")));
  const answers = await Promise.all([ask(towline), ask(towline), ask(towline)]);
  assert.deepEqual(answers.map(({ is }) => is), ["ok", "ok", "ok"]);
  assert.equal(renewals.length, 1);
  assert.equal(asked.length, 6);
});

test("a 401 that a renewal does not mend comes again later; without a means to renew at once", async () => {
  let renewed = 0;
  const renewing = client({ ...cookies, renewSession: async () => void (renewed += 1) }, () => problem(401, "session_missing"));
  const answer = await ask(renewing.towline);
  assert.deepEqual([answer.is, renewed, renewing.asked.length], ["again", 1, 2]);
  const without = client(cookies, () => problem(401, "session_missing"));
  assert.equal((await ask(without.towline)).is, "again");
  assert.equal(without.asked.length, 1);
  assert.equal(without.towline.connection.get().state, "idle");
});

test("nobody signed in, or a renewal that fails, is no answer; and nothing is sent", async () => {
  for (const getSession of [async () => undefined, () => Promise.reject(new Error("offline"))]) {
    const { towline, asked } = client({ getSession }, () => json(200, 1));
    assert.equal((await ask(towline)).is, "again");
    assert.equal(asked.length, 0);
  }
});

test("a session that is refused for good stops the client, by its reason", async () => {
  for (const [name, reason] of [
    ["session_of_another_user", "another_user"],
    ["session_ended", "session_ended"],
    ["session_signature", "refused"],
  ] as const) {
    const { towline, asked } = client(cookies, () => problem(403, name));
    const told: string[] = [];
    towline.live({ stop: () => void told.push("stop"), erase: () => void told.push("erase"), refresh: () => void told.push("refresh") });
    assert.deepEqual(await ask(towline), { is: "stopped" });
    assert.deepEqual(towline.connection.get(), { state: "stopped", reason });
    assert.deepEqual(told, ["stop"]);
    assert.deepEqual(await ask(towline), { is: "stopped" });
    assert.equal(asked.length, 1);
  }
});

test("another user's session is never sent, and stops the client", async () => {
  let who = "ann";
  const { towline, asked } = client({ getSession: async () => jwt(who) }, () => json(200, 1));
  await ask(towline);
  who = "eve";
  assert.deepEqual(await ask(towline), { is: "stopped" });
  assert.deepEqual(towline.connection.get(), { state: "stopped", reason: "another_user" });
  assert.equal(asked.length, 1);
  const named = client({ getSession: async () => jwt("eve"), user: "ann" }, () => json(200, 1));
  assert.deepEqual(await ask(named.towline), { is: "stopped" });
  assert.equal(named.asked.length, 0);
});

test("an answer that comes after the client has stopped is not for this page", async () => {
  let give: (response: Response) => void = () => {};
  const { towline } = client(cookies, () => new Promise((resolve) => (give = resolve)));
  const answer = ask(towline);
  await settled();
  towline.close();
  give(json(200, { secret: 1 }));
  assert.deepEqual(await answer, { is: "stopped" });
});

test("a session that comes after the client has stopped is not used", async () => {
  let give: (session: string) => void = () => {};
  const { towline, asked } = client({ getSession: () => new Promise((resolve) => (give = resolve)) }, () => json(200, 1));
  const answer = ask(towline);
  await settled();
  towline.close();
  give(jwt("ann"));
  assert.deepEqual(await answer, { is: "stopped" });
  assert.equal(asked.length, 0);
});

test("no answer within 10 s is none, and so is one that nobody wants any more", async () => {
  const { towline, clock } = client(cookies, ({ init }) => new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(init.signal?.reason))));
  const late = ask(towline);
  await clock.play(9_999);
  const abort = new AbortController();
  const given = towline.http({ path: "/api/x", signal: abort.signal });
  await settled();
  abort.abort();
  assert.equal((await given).is, "again");
  await clock.play(1);
  assert.deepEqual(await late, { is: "again", status: undefined, type: undefined, reason: undefined, afterMs: undefined });
  assert.equal(clock.pending(), 0);
});

test("a session that does not come is no answer, and sends nothing when it comes after all", async () => {
  let give: (session: string) => void = () => {};
  const { towline, asked, clock } = client({ getSession: () => new Promise((resolve) => (give = resolve)) }, ({ init }) => (init.signal?.aborted ? Promise.reject(init.signal.reason) : json(200, 1)));
  const answer = ask(towline);
  await clock.play(10_000);
  assert.equal((await answer).is, "again");
  give(jwt("ann"));
  await settled();
  assert.deepEqual(asked.map(({ init }) => init.signal?.aborted), [true]);
});

test("one client a tab, service and user; a closed one is made anew; another user's takes its place", async () => {
  const first = client(cookies, () => json(200, 1));
  assert.equal(createTowline({ ...first.all }, first.on), first.towline);
  const other = createTowline({ ...first.all, user: "eve" } as TowlineOptions, first.on);
  assert.notEqual(other, first.towline);
  assert.deepEqual(first.towline.connection.get(), { state: "stopped", reason: "another_user" });
  assert.equal(other.connection.get().state, "idle");
  other.close();
  assert.deepEqual(other.connection.get(), { state: "stopped", reason: "closed" });
  const again = createTowline({ ...first.all, user: "eve" } as TowlineOptions, first.on);
  assert.notEqual(again, other);
  // An end that comes late is not the next one's.
  other.close();
  assert.equal(createTowline({ ...first.all, user: "eve" } as TowlineOptions, first.on), again);
  const elsewhere = createTowline({ ...first.all, url: "https://u.example" } as TowlineOptions, first.on);
  assert.equal(again.connection.get().state, "idle");
  assert.notEqual(elsewhere, again);
});

test("a page that does not say whose it is, and one that does, have the same client where it is the same user's", async () => {
  const first = client({ getSession: async () => jwt("ann") }, () => json(200, 1));
  assert.equal(createTowline({ ...first.all, user: "ann" } as TowlineOptions, first.on), first.towline);
  assert.equal(first.towline.user(), "ann");
  assert.equal(createTowline(first.all, first.on), first.towline);
  assert.notEqual(createTowline({ ...first.all, user: "eve" } as TowlineOptions, first.on), first.towline);
  assert.deepEqual(first.towline.connection.get(), { state: "stopped", reason: "another_user" });
});

test("a stream that is opened by the page's means says whose it is, and renews the session once", async () => {
  const opened: { url: string; fetch: (url: string, init?: RequestInit) => Promise<Response> }[] = [];
  const stream = { readyState: 1, addEventListener() {}, close() {} };
  let session = "old";
  const { towline, asked } = client(
    {
      url: "https://t.example/",
      getSession: async (renew: boolean) => jwt("ann", renew ? (session = "new") : session),
      eventSource: (url, { fetch }) => {
        opened.push({ url, fetch });
        return stream;
      },
    } as Partial<TowlineOptions>,
    ({ headers }) => (headers.get("authorization")?.endsWith("new") ? new Response("data: 1") : problem(401, "session_expired")),
  );
  assert.equal(towline.stream?.("/api/jobs/j/stream"), stream);
  const [{ url, fetch }] = opened as [(typeof opened)[0]];
  assert.equal(url, "https://t.example/api/jobs/j/stream");
  assert.equal(await (await fetch(url, { headers: { "last-event-id": "1.2" } })).text(), "data: 1");
  assert.deepEqual(asked.map(({ headers }) => headers.get("authorization")), [`Bearer ${jwt("ann", "old")}`, `Bearer ${jwt("ann", "new")}`]);
  assert.deepEqual(asked.map(({ headers }) => [headers.get("towline-user"), headers.get("last-event-id")]), Array(2).fill(["ann", "1.2"]));
  towline.close();
  await assert.rejects(fetch(url));
  assert.equal(asked.length, 2);
});

test("a stream by cookie is the browser's own", () => {
  const urls: string[] = [];
  const stream = { readyState: 1, addEventListener() {}, close() {} };
  const { towline } = client(cookies, () => json(200, 1), {
    eventSource: (url) => {
      urls.push(url);
      return stream;
    },
  });
  assert.equal(towline.stream?.("/api/jobs/j/stream"), stream);
  assert.deepEqual(urls, ["https://t.example/api/jobs/j/stream"]);
  assert.equal(client({ getSession: async () => jwt("ann") }, () => json(200, 1)).towline.stream, undefined);
});

test("who asks for it again brings the present way to the session", async () => {
  const { towline, all, on, asked } = client({ getSession: async () => jwt("ann", "old") }, () => json(200, 1));
  assert.equal(createTowline({ ...all, getSession: async () => jwt("ann", "new") } as TowlineOptions, on), towline);
  await ask(towline);
  assert.ok(asked[0]?.headers.get("authorization")?.endsWith("new"));
});

test("on a server nothing is kept, asked, listened to or begun", async () => {
  const { towline, asked, clock, on, all } = client(cookies, () => json(200, 1), { page: undefined, tabs: browserTabs().tabs });
  assert.notEqual(createTowline(all, on), towline);
  assert.equal(on.kept.size, 0);
  const told: string[] = [];
  towline.live({ refresh: () => void told.push("refresh"), stop: () => void told.push("stop") });
  towline.visible.subscribe(() => {})();
  towline.channels?.listen("dispatch:job:j", { refused: () => void told.push("refused") }, "j");
  assert.deepEqual(await ask(towline), { is: "stopped" });
  await settled();
  assert.deepEqual([asked.length, clock.pending(), told, towline.connection.get().state], [0, 0, [], "idle"]);
});

test("this process is a server to it", async () => {
  const towline = createTowline({ url: "", cookies: true, user: "ann" });
  assert.deepEqual(await ask(towline), { is: "stopped" });
});

test("streams by JWT need somebody who opens them", () => {
  assert.throws(() => client({ getSession: async () => jwt("ann"), ably: undefined } as unknown as Partial<TowlineOptions>, () => json(200, 1)), /eventSource/);
});

test("a renewal that never ends keeps nobody from another, and where it does end takes no other's place", async () => {
  let renewed = false;
  const ends: (() => void)[] = [];
  const renewSession = () => new Promise<void>((resolve) => void ends.push(resolve));
  const { towline, clock } = client({ ...cookies, renewSession }, () => (renewed ? json(200, {}) : problem(401, "session_expired")));
  const first = ask(towline);
  await clock.play(10_000);
  assert.equal((await first).is, "again");
  const second = ask(towline);
  await settled();
  ends[0]!();
  await settled();
  const third = ask(towline);
  await settled();
  assert.equal(ends.length, 2, "the second is still under way");
  renewed = true;
  ends[1]!();
  assert.deepEqual([(await second).is, (await third).is], ["ok", "ok"]);
  assert.equal(clock.pending(), 0);
});
