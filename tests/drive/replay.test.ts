// What is posted and when, against a service that fails, by a clock that is not waited for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, type Fix, type Progress, replay } from "../../scripts/drive/replay.mjs";

/** Fixes that are due `apart` milliseconds after each other. */
const fixes = (count: number, apart: number): Fix[] =>
  Array.from({ length: count }, (_, index) => ({ id: `f-${index}`, lat: 0, lng: index / 1000, capturedAt: index * apart }));
const accepted = (some: Fix[]): Answer => ({ status: 200, results: some.map(() => ({ status: "accepted" })) });

/** Drives against answers: `answer` gets each post with its time and its place among all posts. */
async function driven(all: Fix[], answer: (some: Fix[], now: number, post: number) => Answer, stop = new AbortController()) {
  let now = 0;
  const posts: { at: number; ids: string[] }[] = [];
  const progress: Progress = { sent: 0, became: {} };
  const troubles: (string | undefined)[] = [];
  const clock = {
    now: () => now,
    wait: async (ms: number) => {
      troubles.push(progress.trouble);
      now += Math.max(0, ms);
    },
  };
  const post = async (some: Fix[]) => {
    // A request takes its time.
    now += 10;
    posts.push({ at: now, ids: some.map(({ id }) => id) });
    return answer(some, now, posts.length);
  };
  const end = await replay(all, { post, clock, progress, stop: stop.signal }).then(() => undefined, (error: Error) => error.message);
  return { posts, progress, end, troubles: [...new Set(troubles)].filter(Boolean) };
}

test("each leaves when it is due, by itself", async () => {
  const { posts, progress, end } = await driven(fixes(5, 1000), accepted);
  assert.deepEqual(posts.map(({ at, ids }) => [at, ...ids]), [0, 1, 2, 3, 4].map((index) => [index * 1000 + 10, `f-${index}`]));
  assert.deepEqual({ progress, end }, { progress: { sent: 5, became: { accepted: 5 } }, end: undefined });
});

test("what becomes due while a post is under way leaves together, a hundred at most", async () => {
  const all = fixes(250, 0);
  const { posts } = await driven(all, accepted);
  assert.deepEqual(posts.map(({ ids }) => ids.length), [100, 100, 50]);
  assert.deepEqual(posts.flatMap(({ ids }) => ids), all.map(({ id }) => id));
});

test("after no answer, 408, 429 and 5xx the same is kept and sent again, with what has come due: nothing is lost, and all in order", async () => {
  const failures: Answer[] = [{}, { status: 408 }, { status: 429, type: "too_fast", retryAfterMs: 7000 }, { status: 503, retryAfterMs: 3000 }, { status: 500 }];
  const all = fixes(30, 1000);
  const { posts, progress, troubles } = await driven(all, (some, _, post) => failures[post - 1] ?? accepted(some));
  // It waits half a second, a second, as long as it is told, and 16 times the half after five failures.
  assert.deepEqual(posts.slice(0, 6).map(({ at }) => at), [10, 520, 1530, 8540, 11_550, 19_560]);
  const taken = posts.slice(failures.length).flatMap(({ ids }) => ids);
  assert.deepEqual(taken, all.map(({ id }) => id));
  assert.equal(posts[5]?.ids.length, 20);
  assert.deepEqual(progress, { sent: 30, became: { accepted: 30 } });
  assert.deepEqual(troubles.slice(0, 3), ["the service does not answer; sent again in 1 s", "408; sent again in 1 s", "429 too_fast; sent again in 7 s"]);
});

test("what is too large is split until it fits", async () => {
  const { posts, progress } = await driven(fixes(100, 0), (some) => (some.length > 30 ? { status: 413 } : accepted(some)));
  assert.deepEqual(posts.map(({ ids }) => ids.length), [100, 50, 25, 25, 25, 25]);
  assert.equal(progress.sent, 100);
});

test("what became of each is counted, by its reason too", async () => {
  const results = [{ status: "accepted" }, { status: "late" }, { status: "rejected", reason: "id_reused" }, { status: "accepted" }];
  const { progress, end } = await driven(fixes(4, 0), () => ({ status: 200, results }));
  assert.deepEqual(progress.became, { accepted: 2, late: 1, "rejected (id_reused)": 1 });
  assert.equal(end, undefined);
});

test("it ends where the service takes nothing any more, and says why", async () => {
  const refused = await driven(fixes(5, 1000), () => ({ status: 403, type: "not_a_participant", detail: "the session does not list this job" }));
  assert.match(refused.end ?? "", /403 not_a_participant \(the session does not list this job\)/);
  assert.equal(refused.posts.length, 1);
  for (const reason of ["job_closed", "reassigned"]) {
    const closed = await driven(fixes(5, 1000), (some, _, post) => (post < 3 ? accepted(some) : { status: 200, results: [{ status: "rejected", reason }] }));
    assert.match(closed.end ?? "", new RegExp(`any more: ${reason}`));
    assert.deepEqual(closed.progress, { sent: 3, became: { accepted: 2, [`rejected (${reason})`]: 1 } });
  }
});

test("told to stop, it posts nothing more", async () => {
  const stop = new AbortController();
  const { posts, progress, end } = await driven(
    fixes(5, 1000),
    (some, _, post) => {
      if (post === 2) stop.abort();
      return accepted(some);
    },
    stop,
  );
  assert.deepEqual({ posts: posts.length, sent: progress.sent, end }, { posts: 2, sent: 2, end: undefined });
});
