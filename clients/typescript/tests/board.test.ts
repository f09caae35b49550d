import assert from "node:assert/strict";
import { test } from "node:test";
import { board, type BoardOptions } from "../src/board.ts";
import type { Answer, Ask } from "../src/client/types.ts";
import type { JobSnapshot } from "../src/view/types.ts";
import type { JobList, OpenJob } from "../src/wire.ts";
import { again, FakeCore, FakeStore, ok, refused, settled } from "./support/fake-core.ts";

const job = (jobId: string, version = 1): OpenJob => ({ jobId, state: "open", version, epoch: 5, driver: null, endsAt: 0 });
const snapshot = (jobId: string, seq: number) => ({ jobId, position: { seq } }) as unknown as JobSnapshot;

/** A service that lists jobs by pages, as ours does, with an ETag a page. */
class Lists {
  ids: string[] = [];
  version = 1;
  notModified = 0;
  size = 2;
  answer = (ask: Ask): Answer<unknown> => {
    const query = new URL(ask.path, "http://a").searchParams;
    assert.deepEqual([query.get("state"), query.get("limit")], ["open", "100"]);
    const rest = this.ids.filter((id) => id > (query.get("after") ?? ""));
    const ids = rest.slice(0, this.size);
    const body: JobList = { jobs: ids.map((id) => job(id, this.version)), next: rest.length > this.size ? ids.at(-1)! : null };
    const etag = JSON.stringify(body);
    if (ask.etag === etag) {
      this.notModified++;
      return { is: "ok", status: 304, body: undefined, etag: undefined };
    }
    return ok(body, etag);
  };
}

async function watched(ids: string[], options?: BoardOptions) {
  const core = new FakeCore();
  const lists = new Lists();
  lists.ids = ids;
  core.answer = lists.answer;
  const jobs = new Map<string, FakeStore<JobSnapshot>>();
  const jobOf = (id: string) => {
    if (!jobs.has(id)) jobs.set(id, new FakeStore(snapshot(id, 0)));
    return jobs.get(id)!;
  };
  const make = (options?: BoardOptions) => board(core, jobOf, options);
  const store = make(options);
  const told: number[] = [];
  const leave = store.subscribe(() => void told.push(core.clock.now()));
  await settled();
  const followed = () => [...jobs].filter(([, { listeners }]) => listeners.size > 0).map(([id]) => id);
  const listed = () => store.get().jobs.map(({ jobId }) => jobId);
  return { core, lists, jobs, make, store, leave, told, followed, listed };
}

test("all pages, each in view watched, and let go with the list", async () => {
  const { core, lists, store, leave, told, followed, listed } = await watched(["a", "b", "c", "d", "e"]);
  assert.deepEqual([listed(), store.get().status, followed(), [...store.get().views.keys()]], [["a", "b", "c", "d", "e"], "ok", ["a", "b", "c", "d", "e"], ["a", "b", "c", "d", "e"]]);
  assert.equal(core.asks.length, 3);
  const count = told.length;
  const before = store.get();
  await core.clock.pass(5_000);
  assert.deepEqual([lists.notModified, told.length, store.get()], [3, count, before], "nothing has changed");
  lists.ids = ["a", "e", "f"];
  await core.clock.pass(5_000);
  assert.deepEqual([listed(), followed(), [...store.get().views.keys()]], [["a", "e", "f"], ["a", "e", "f"], ["a", "e", "f"]]);
  lists.ids = ["a", "b", "e", "f"];
  await core.clock.pass(5_000);
  assert.deepEqual(followed(), ["a", "b", "e", "f"], "what comes back is watched again");
  lists.version = 2;
  await core.clock.pass(5_000);
  assert.equal(store.get().jobs[0]?.version, 2);
  lists.ids = ["a"];
  await core.clock.pass(5_000);
  assert.deepEqual(listed(), ["a"]);
  leave();
  assert.deepEqual(followed(), []);
  await core.clock.pass(2_000);
  core.assertQuiet();
  assert.deepEqual(listed(), []);
});

test("snapshots are gathered: four times a second at most, the last one never lost", async () => {
  const { core, jobs, store, told } = await watched(["a", "b"]);
  told.length = 0;
  for (let seq = 1; seq <= 100; seq++) {
    jobs.get("a")!.set(snapshot("a", seq));
    jobs.get("b")!.set(snapshot("b", seq));
    await core.clock.pass(10);
  }
  await core.clock.pass(250);
  assert.ok(told.length >= 3 && told.length <= 5, `${told}`);
  assert.equal(store.get().views.get("a")?.position?.seq, 100);
  const before = store.get();
  jobs.get("a")!.set(snapshot("a", 101));
  assert.equal(store.get(), before, "the same until it is told");
});

test("in view: those that the caller says, of those listed, and 200 at most", async () => {
  const { followed, store } = await watched(["a", "b", "c"], { inView: ["c", "zz", "a"] });
  assert.deepEqual([followed().sort(), [...store.get().views.keys()]], [["a", "c"], ["c", "a"]]);
  const many = await watched([]);
  many.lists.ids = Array.from({ length: 300 }, (_, index) => `job-${index + 1000}`);
  many.lists.size = 100;
  await many.core.clock.pass(5_000);
  assert.deepEqual([many.followed().length, many.listed().length, many.store.get().views.size], [200, 300, 200]);
});

test("another choice of jobs shares list and jobs, and shows them at once", async () => {
  const { core, make, leave, followed } = await watched(["a", "b", "c"]);
  const asked = core.asks.length;
  const second = make({ inView: ["b"] });
  assert.deepEqual([second.get().status, second.get().jobs.length, [...second.get().views.keys()]], ["ok", 3, ["b"]]);
  assert.equal(second.get(), second.get());
  leave();
  second.subscribe(() => {});
  await settled();
  assert.deepEqual([followed(), core.asks.length], [["b"], asked]);
  const west = make({ dispatchId: "we st" });
  west.subscribe(() => {});
  await settled();
  assert.equal(core.asks.at(-1)?.path, "/api/jobs?state=open&limit=100&dispatchId=we%20st&after=b");
});

test("no answer: offline with what there was, and again more and more slowly", async () => {
  const { core, lists, store, listed } = await watched(["a"]);
  core.answer = () => again();
  await core.clock.pass(5_000);
  assert.deepEqual([store.get().status, listed()], ["offline", ["a"]]);
  const asked = core.asks.length;
  await core.clock.pass(120_000);
  assert.ok(core.asks.length - asked >= 5 && core.asks.length - asked <= 13, `${core.asks.length - asked}`);
  core.answer = lists.answer;
  await core.clock.pass(30_000);
  assert.deepEqual([store.get().status, listed()], ["ok", ["a"]]);
});

test("refused: nothing is shown, and nothing asked again but by a refresh", async () => {
  const { core, lists, store, listed, followed } = await watched(["a"]);
  core.answer = () => refused("own_jobs_only");
  await core.clock.pass(5_000);
  assert.deepEqual([store.get().status, listed(), followed(), store.get().views.size], ["refused", [], [], 0]);
  const asked = core.asks.length;
  await core.clock.pass(100_000);
  assert.equal(core.asks.length, asked);
  core.answer = lists.answer;
  core.page("refresh");
  await settled();
  assert.deepEqual([store.get().status, listed(), followed()], ["ok", ["a"], ["a"]]);
});

test("hidden: nothing is asked; seen: at once", async () => {
  const { core, lists, listed } = await watched(["a"]);
  core.visible.set(false);
  await core.clock.pass(5_000);
  const asked = core.asks.length;
  await core.clock.pass(100_000);
  assert.equal(core.asks.length, asked);
  lists.ids = ["b"];
  core.visible.set(true);
  await settled();
  assert.deepEqual(listed(), ["b"]);
});

test("put away, or stopped: erased at once; an answer of before is not shown", async () => {
  const { core, lists, store, listed, followed, jobs, told } = await watched(["a"]);
  let answer: ((answer: Answer<unknown>) => void) | undefined;
  core.answer = () => new Promise((resolve) => (answer = resolve));
  await core.clock.pass(5_000);
  jobs.get("a")!.set(snapshot("a", 7));
  const count = told.length;
  core.page("erase");
  assert.deepEqual([store.get().status, listed(), store.get().views.size], ["waiting", [], 0]);
  assert.deepEqual(followed(), ["a"], "what is watched stays so");
  assert.ok(told.length > count);
  answer!(ok({ jobs: [job("zz")], next: null }));
  await settled();
  assert.deepEqual(listed(), []);
  core.answer = lists.answer;
  core.page("refresh");
  await settled();
  assert.deepEqual([listed(), followed()], [["a"], ["a"]]);
  core.page("erase");
  lists.ids = ["b"];
  core.page("refresh");
  await settled();
  assert.deepEqual([listed(), followed()], [["b"], ["b"]]);
  core.answer = () => ({ is: "stopped" });
  core.page("stop");
  assert.deepEqual([listed(), store.get().views.size], [[], 0]);
});
