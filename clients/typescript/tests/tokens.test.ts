// Which token is asked for: of all services that there are, without being told with which it is.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { tokensFrom } from "../src/client/ably/tokens.ts";
import type { Answer, Http } from "../src/client/types.ts";

/** Who decides: the session's list and the registry, the registry alone, or the policy (a dispatcher's). */
type Regime = "on" | "required" | "all";

/** The token route, as docs/http.md has it. */
function service(regime: Regime, hasNotifications = true) {
  const state = { listed: new Set<string>(), admitted: new Set<string>(), unknown: Infinity, isDown: false };
  const asked: string[][] = [];
  const refused: Answer<string> = { is: "refused", status: 403, type: "40160", reason: undefined };
  const again = (status?: number): Answer<string> => ({ is: "again", status, type: "42910", reason: undefined, afterMs: undefined });
  const answer = (path: string): Answer<string> => {
    const names = path.split("?jobId=")[1]?.split(",");
    asked.push(names ?? []);
    assert.ok((names?.length ?? 0) <= 20 && new Set(names).size === (names?.length ?? 0), "names");
    if (state.isDown) return again();
    const may = (job: string) => regime === "all" || (state.admitted.has(job) && (regime === "required" ? names !== undefined || state.listed.has(job) : state.listed.has(job)));
    const jobs = regime === "all" && !names ? ["*"] : (names ?? [...state.listed]).filter(may);
    if (regime === "required" && names) {
      const unknown = names.filter((job) => !may(job)).length;
      if (unknown > 0 && unknown > state.unknown) return again(429);
      state.unknown -= unknown;
    }
    if (names?.some((name) => !/^[\w.-]{1,64}$/.test(name))) return { ...refused, status: 400, type: "40000" };
    const channels = [...jobs.map((job) => `dispatch:job:${job}`), ...(hasNotifications ? ["notifications:user:ann"] : [])];
    if (channels.length === 0 || (names && jobs.length === 0)) return refused;
    const capability = Object.fromEntries(channels.map((channel) => [channel, ["subscribe"]]));
    const claims = Buffer.from(JSON.stringify({ "x-ably-capability": JSON.stringify(capability) })).toString("base64url");
    return { is: "ok", status: 200, body: `e30.${claims}.s`, etag: undefined };
  };
  const http = (async ({ path }: { path: string }) => answer(path)) as Http;
  return { ...tokensFrom(http), state, asked };
}

const jobsOf = (count: number) => Array.from({ length: count }, (_, n) => `job-${n}`);

test("each regime, whatever is wanted and admitted when: what may be had is had, and what was had is not lost", async () => {
  const some = fc.subarray(jobsOf(20));
  const steps = fc.array(fc.record({ wanted: some, listed: some, admitted: some, unknown: fc.constantFrom(0, 3, 100), isDown: fc.boolean() }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom<Regime>("on", "required", "all"), fc.boolean(), steps, async (regime, hasNotifications, steps) => {
      const { ask, may, state } = service(regime, hasNotifications);
      const channel = (job: string) => `dispatch:job:${job}`;
      for (const { wanted, listed, admitted, unknown, isDown } of steps) {
        const had = wanted.filter((job) => may(channel(job)));
        Object.assign(state, { listed: new Set(listed), admitted: new Set(admitted), unknown, isDown: false });
        const isFor = (job: string) => regime === "all" || (admitted.includes(job) && (regime === "required" || listed.includes(job)));
        const isLimited = unknown < wanted.filter((job) => !isFor(job)).length;
        Object.assign(state, { isDown });
        const answer = await ask(wanted);
        if (isDown) {
          assert.equal(answer.is, "again");
          continue;
        }
        if (!hasNotifications && answer.is !== "ok") {
          assert.ok(!wanted.some(isFor) || (regime === "required" && isLimited), "what may be had is not refused");
          continue;
        }
        assert.equal(answer.is, "ok");
        assert.equal(may("notifications:user:ann"), hasNotifications);
        for (const job of wanted) {
          if (!isFor(job)) assert.ok(!may(channel(job)), `${job} is not theirs`);
          else if (!isLimited || regime !== "required") assert.ok(may(channel(job)), `${job} may be had`);
        }
        // Within the limit of what is nobody's, nothing can be promised but that what was had stays.
        if (regime === "required" && had.every(isFor) && had.length > 0) assert.ok(wanted.filter((job) => may(channel(job))).length >= had.length);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("who is with the registry alone asks twice at first, and once from then on", async () => {
  const { ask, asked, state, may } = service("required");
  state.admitted = new Set(["a", "b"]);
  await ask(["a"]);
  await ask(["a", "b"]);
  assert.deepEqual(asked, [[], ["a"], ["a", "b"]]);
  await ask(["a", "b", "foreign"]);
  await ask([]);
  await ask(["b"]);
  assert.deepEqual(asked.slice(3), [["a", "b", "foreign"], [], ["b"]]);
  assert.ok(!may("dispatch:job:a"));
});

test("who gets nothing without names is asked for by name", async () => {
  const { ask, asked, state, may } = service("required", false);
  assert.equal((await ask([])).is, "refused");
  assert.equal((await ask(["a"])).is, "refused");
  state.admitted = new Set(["a"]);
  assert.equal((await ask(["a"])).is, "ok");
  assert.ok(may("dispatch:job:a"));
  assert.deepEqual(asked, [[], [], ["a"], [], ["a"]]);
  await ask(["a"]);
  assert.deepEqual(asked.slice(5), [["a"]]);
});

test("what is no job id takes no other's channel away", async () => {
  const { ask, asked, state, may } = service("required");
  state.admitted = new Set(["a"]);
  assert.equal((await ask(["a", "not one", "..", "", "a,b", "ä", "x".repeat(65)])).is, "ok");
  assert.ok(may("dispatch:job:a"));
  assert.deepEqual(asked, [[], ["a"]]);
});

test("who has all of what is wanted asks once", async () => {
  for (const regime of ["on", "all"] as const) {
    const { ask, asked, state } = service(regime);
    state.listed = state.admitted = new Set(jobsOf(50));
    await ask(jobsOf(50));
    assert.deepEqual(asked, [[]]);
  }
});

test("with more than can be named, those that were had stay", async () => {
  const { ask, may, state } = service("required");
  const jobs = jobsOf(30);
  state.admitted = new Set(jobs);
  const had = () => jobs.filter((job) => may(`dispatch:job:${job}`));
  await ask(jobs.slice(10));
  const first = had();
  assert.equal(first.length, 20);
  await ask(jobs);
  assert.deepEqual(had(), first);
});

test("a way that has brought something by chance is left again", async () => {
  const { ask, may, state, asked } = service("on");
  const jobs = jobsOf(30);
  state.listed = new Set(jobs);
  state.admitted = new Set(jobs.slice(0, 2));
  // Admitted between the one answer and the other.
  const ways = ask(jobs.slice(0, 3));
  await Promise.resolve();
  state.admitted = new Set(jobs);
  await ways;
  assert.equal(asked.length, 2);
  await ask(jobs);
  assert.ok(jobs.every((job) => may(`dispatch:job:${job}`)));
  await ask(jobs);
  assert.deepEqual(asked.at(-1), []);
});

test("what a token grants: a star is any segment, at the end one or more; a token that cannot be read is tried", async () => {
  const claims = (capability: string) => `e30.${Buffer.from(JSON.stringify({ "x-ably-capability": capability })).toString("base64url")}.s`;
  const cases: [string, string, boolean][] = [
    ["a:b", "a:b", true],
    ["a:b", "a:b:c", false],
    ["a:b", "a", false],
    ["a:*", "a:b", true],
    ["a:*", "a:b:c", true],
    ["a:*", "a", false],
    ["a:*:c", "a:b:c", true],
    ["a:*:c", "a:b:d", false],
    ["a:*:c", "a:b:b:c", false],
    ["*", "a:b", true],
  ];
  for (const [pattern, channel, is] of cases) {
    const { ask, may } = tokensFrom((async () => ({ is: "ok", status: 200, body: claims(JSON.stringify({ [pattern]: ["subscribe"] })), etag: undefined })) as unknown as Http);
    await ask([]);
    assert.equal(may(channel), is, `${pattern} ${channel}`);
  }
  const { ask, may } = tokensFrom((async () => ({ is: "ok", status: 200, body: "opaque", etag: undefined })) as unknown as Http);
  await ask(["a"]);
  assert.ok(may("anything"));
});
