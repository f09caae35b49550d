import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Answer } from "../src/client/types.ts";
import { streamFeed } from "../src/live/stream.ts";
import { again, FakeCore, listened, ok, refused, settled, until } from "./support/fake-core.ts";

const subHash = createHash("sha256").update("ann").digest("hex");
const state = (seq: number) => ({ jobId: "job-1", epoch: 5, seq, fromSeq: seq, lat: 1, lng: 2, ts: 9, capturedAt: 9, now: 10, ageMs: 1, subHash });
const fix = (seq: number) => ({ jobId: "job-1", epoch: 5, seq, fromSeq: seq, lat: 1, lng: 2, ts: 9, capturedAt: 9 });

async function opened() {
  const core = new FakeCore();
  const { inputs, take, ask, leave: stop } = listened(streamFeed(core));
  const opens = async (count: number) => {
    await until(`stream ${count}`, () => core.sources.length >= count);
    assert.equal(core.sources.length, count);
    return core.sources[count - 1]!;
  };
  return { core, inputs, stop, opens, take, ask };
}

test("the state, then what comes, all by name", async () => {
  const { core, inputs, stop, opens } = await opened();
  const source = await opens(1);
  assert.equal(source.path, "/api/jobs/job-1/stream");
  const asked = core.clock.now();
  await core.clock.pass(70);
  source.tell("state", state(3), "5.3");
  source.tell("location.updated", fix(4), "5.4");
  source.tell("job.updated", { jobId: "job-1" }, "5.4.1");
  source.tell("something.new", {});
  const at = asked + 70;
  const { subHash: _, ...first } = state(3);
  assert.deepEqual(inputs, [
    { is: "link", up: true, at },
    { is: "first", state: first, asked, at },
    { is: "message", name: "location.updated", data: fix(4), at },
    { is: "message", name: "job.updated", data: { jobId: "job-1" }, at },
  ]);
  assert.equal(core.asks.length, 0);
  stop();
  assert.equal(source.readyState, 2);
  core.assertQuiet();
});

test("where what is registered has changed, the first state says what a stream does not", async () => {
  const { core, opens, take } = await opened();
  const source = await opens(1);
  core.answer = () => ok(state(5));
  source.tell("state", state(3), "5.3");
  source.tell("job.updated", { jobId: "job-1", type: "photo.added" }, "5.3.1");
  await settled();
  assert.equal(core.asks.length, 0);
  take();
  source.tell("job.updated", { jobId: "job-1", type: "registration" }, "5.3.2");
  await settled();
  assert.deepEqual([take(), core.asks.map(({ path }) => path), core.sources.length], [["job.updated", "first 5"], ["/api/jobs/job-1/location"], 1]);
});

test("who goes in the tick in which it came has opened nothing", async () => {
  const { core, stop, inputs } = await opened();
  stop();
  await core.clock.pass(100_000);
  assert.deepEqual([core.sources.length, core.asks.length, inputs.length], [0, 0, 0]);
  core.assertQuiet();
});

test("a connection that breaks is a link that is down, and the state after it is of after the break", async () => {
  const { core, inputs, opens, take } = await opened();
  const source = await opens(1);
  source.tell("state", state(3), "5.3");
  take();
  await core.clock.pass(500);
  const broken = core.clock.now();
  source.breaks();
  source.breaks();
  await core.clock.pass(2_000);
  source.tell("state", state(3), "5.3");
  assert.equal((inputs[2] as { asked: number }).asked, broken);
  assert.deepEqual(take(), ["link false", "link true", "first 3"]);
  assert.equal(core.sources.length, 1);
  assert.deepEqual(core.reached, [true, false, false, true], "the connection is as its streams are");
});

test("an end that is none: it comes again by itself, and nobody was cut off", async () => {
  for (const reason of ["expired", "slow"]) {
    const { core, opens, take } = await opened();
    const source = await opens(1);
    source.tell("state", state(3), "5.3");
    take();
    source.tell("end", { reason }, "5.3");
    source.breaks();
    assert.deepEqual(take(), []);
    source.tell("state", state(4), "5.4");
    source.breaks();
    assert.deepEqual(take(), ["first 4", "link false"]);
    await core.clock.pass(80_000);
    assert.deepEqual([core.sources.length, core.asks.length], [1, 0]);
  }
});

test("closed is ended, for good, whatever is answered to who asks why", async () => {
  const closed: Answer<never> = { is: "refused", status: 403, type: "job_closed", reason: "cancelled" };
  // Staff read on after the end.
  const answers = [[closed, "cancelled"], [ok(state(3)), undefined], [again(), undefined]] as const;
  for (const [answer, reason] of answers) {
    const { core, inputs, opens, take } = await opened();
    const source = await opens(1);
    source.tell("state", state(3), "5.3");
    take();
    core.answer = () => answer;
    source.tell("end", { reason: "closed" }, "5.3");
    assert.deepEqual([take(), source.readyState], [["erase"], 2], "nothing is shown any more");
    await settled();
    const at = core.clock.now();
    assert.deepEqual(inputs, [{ is: "refused", why: "ended", reason, asked: at, at }]);
    core.page("refresh");
    await core.clock.pass(200_000);
    assert.deepEqual([core.sources.length, core.asks.length], [1, 1]);
    core.assertQuiet();
  }
});

test("who goes before it is known why a job has ended hears no more", async () => {
  const { core, inputs, stop, opens, take } = await opened();
  const source = await opens(1);
  core.answer = () => refused("job_closed");
  source.tell("end", { reason: "closed" }, "5.3");
  take();
  stop();
  await settled();
  assert.deepEqual(inputs, []);
  core.assertQuiet();
});

test("a job.closed ends it too", async () => {
  const { core, opens, take } = await opened();
  (await opens(1)).tell("job.closed", { jobId: "job-1", reason: "done" }, "5.3.1");
  assert.deepEqual(take(), ["job.closed"]);
  core.assertQuiet();
});

test("removed is not yours, until the service says otherwise", async () => {
  for (const reason of ["removed", "reassigned"]) {
    const { core, opens, take } = await opened();
    const source = await opens(1);
    source.tell("state", state(3), "5.3");
    take();
    core.answer = () => refused("not_a_participant");
    source.tell("end", { reason }, "5.3");
    assert.deepEqual([take(), source.readyState], [["not_yours"], 2]);
    await core.clock.pass(59_000);
    assert.deepEqual([take(), core.asks.length, core.sources.length], [["not_yours"], 1, 1]);
    core.answer = () => ok(state(4));
    await core.clock.pass(2_000);
    assert.deepEqual(take(), ["first 4"]);
    (await opens(2)).tell("state", state(4), "5.4");
    assert.equal(core.sources[1]!.path, "/api/jobs/job-1/stream?after=5.3");
  }
});

test("replaced: it does not come again, and so does not replace another; the job is asked about every 5 s", async () => {
  const { core, opens, take } = await opened();
  const source = await opens(1);
  source.tell("state", state(3), "5.3");
  take();
  let seq = 3;
  core.answer = () => ok(state(++seq));
  source.tell("end", { reason: "replaced" }, "5.3");
  await core.clock.pass(14_000);
  assert.deepEqual([take(), source.readyState, core.sources.length], [["first 4", "first 5", "first 6"], 2, 1]);
  core.answer = () => again();
  await core.clock.pass(5_000);
  assert.deepEqual([take(), core.reached.at(-1)], [["link false"], false]);
  core.answer = () => ok(state(9));
  core.page("refresh");
  const second = await opens(2);
  second.tell("state", state(9), "5.9");
  // The request that had no answer is made again.
  await core.clock.pass(30_000);
  take();
  await core.clock.pass(40_000);
  assert.deepEqual([take(), core.sources.length], [[], 2], "the stream is there again");
});

test("refused: the reason is asked for", async () => {
  const { core, opens, take } = await opened();
  core.answer = () => refused("job_closed");
  (await opens(1)).fails();
  await until("the reason", () => core.asks.length === 1);
  await core.clock.pass(100_000);
  assert.deepEqual([take(), core.asks.length, core.asks[0]?.path], [["ended"], 1, "/api/jobs/job-1/location"]);
  core.assertQuiet();
});

test("refused for no reason, as where it has too many: again, more and more slowly, after the last id", async () => {
  const { core, opens, take } = await opened();
  core.answer = () => ok(state(4));
  const source = await opens(1);
  source.tell("state", state(3), "5.3");
  source.tell("state", { jobId: "job-1", withheld: true, gate: "from", now: 1, subHash });
  take();
  const waits: number[] = [];
  for (let count = 1; count <= 7; count++) {
    const since = core.clock.now();
    (await opens(count)).fails();
    while (core.sources.length === count) await core.clock.pass(100);
    waits.push(core.clock.now() - since);
  }
  assert.ok(waits[0]! <= 1_100, `${waits}`);
  assert.ok(waits[2]! >= 2_000 && waits[6]! >= 15_000 && waits[6]! <= 30_100, `${waits}`);
  assert.deepEqual(take(), Array(7).fill("first 4"));
  assert.ok(core.sources.slice(1).every(({ path }) => path.endsWith("?after=5.3")));
  // What works begins anew.
  core.sources[7]!.tell("state", state(4), "5.4");
  core.sources[7]!.fails();
  await core.clock.pass(1_100);
  await opens(9);
});

test("no answer: offline, and again", async () => {
  const { core, opens, take } = await opened();
  (await opens(1)).fails();
  await core.clock.pass(10_000);
  assert.deepEqual(take(), ["link false"]);
  assert.ok(core.asks.length >= 3);
  assert.equal(core.sources.length, 1);
  core.answer = () => ok(state(1));
  while (core.sources.length < 2) await core.clock.pass(1_000);
  assert.deepEqual(take(), ["first 1"]);
});

test("somebody else's stream gives nothing, and the service is asked as whose client this is", async () => {
  const { core, opens, take } = await opened();
  core.answer = () => ({ is: "stopped" });
  const source = await opens(1);
  source.tell("state", { ...state(3), subHash: createHash("sha256").update("ben").digest("hex") }, "5.3");
  source.tell("location.updated", fix(4), "5.4");
  await core.clock.pass(100_000);
  assert.deepEqual([take(), source.readyState, core.asks.map(({ path }) => path)], [[], 2, ["/api/jobs/job-1/location"]]);
  assert.equal(core.sources.length, 1);
});

test("a gate that opens: that the state which follows was said after it came to be heard, nobody knows", async () => {
  const { core, inputs, opens, take } = await opened();
  const source = await opens(1);
  const asked = core.clock.now();
  await core.clock.pass(300);
  source.tell("state", { jobId: "job-1", withheld: true, gate: "from", now: 1, subHash });
  source.tell("gate.opened", { jobId: "job-1", ts: 5 }, "5.3");
  const at = core.clock.now();
  await core.clock.pass(300);
  source.tell("state", state(3), "5.3");
  assert.deepEqual([(inputs[2] as { at: number }).at, (inputs[3] as { asked: number }).asked], [at, asked]);
  assert.deepEqual(take(), ["link true", "first withheld", "opened", "first 3"]);
  source.tell("resync", { reason: "slow", now: 5 });
  source.tell("state", state(4), "5.4");
  assert.equal((inputs[0] as { asked: number }).asked, asked);
});

test("a hidden tab keeps its stream for a minute, and comes back after the last id", async () => {
  const { core, opens, take } = await opened();
  const source = await opens(1);
  source.tell("state", state(3), "5.3");
  take();
  core.visible.set(false);
  await core.clock.pass(59_000);
  core.visible.set(true);
  source.tell("location.updated", fix(3), "5.3");
  take();
  core.visible.set(false);
  await core.clock.pass(59_000);
  assert.deepEqual([take(), source.readyState], [[], 0]);
  await core.clock.pass(2_000);
  assert.deepEqual([take(), source.readyState], [["link false"], 2]);
  core.page("refresh");
  await core.clock.pass(100_000);
  assert.equal(core.sources.length, 1, "nothing is opened for nobody");
  core.visible.set(true);
  core.page("refresh");
  const second = await opens(2);
  assert.equal(second.path, "/api/jobs/job-1/stream?after=5.3");
  second.tell("state", state(4), "5.4");
  assert.deepEqual(take(), ["link true", "first 4"]);
});

test("a stream that says nothing for long is opened anew, in case nothing can be heard", async () => {
  const { core, opens, take, stop } = await opened();
  const source = await opens(1);
  source.tell("state", state(3), "5.3");
  for (let seq = 4; seq < 8; seq++) {
    await core.clock.pass(60_000);
    source.tell("location.updated", fix(seq), `5.${seq}`);
  }
  assert.equal(core.sources.length, 1);
  take();
  // Nothing is reached.
  await core.clock.pass(100_000);
  assert.deepEqual([take(), source.readyState, core.sources.length], [["link false"], 2, 1]);
  core.answer = () => ok(state(8));
  while (core.sources.length < 2) await core.clock.pass(1_000);
  assert.deepEqual(take(), ["first 8"]);
  const second = await opens(2);
  assert.equal(second.path, "/api/jobs/job-1/stream?after=5.7");
  second.tell("state", state(8), "5.8");
  assert.deepEqual(take(), ["link true", "first 8"]);
  stop();
  core.assertQuiet();
});

test("asked beside a stream that is well: the first state is given, and without an answer nobody is cut off", async () => {
  const { core, opens, take, ask } = await opened();
  (await opens(1)).tell("state", state(3), "5.3");
  take();
  ask();
  await core.clock.pass(100);
  assert.deepEqual(take(), []);
  core.answer = () => ok(state(4));
  await core.clock.pass(2_000);
  assert.deepEqual([take(), core.sources.length], [["first 4"], 1]);
});

test("a refresh opens it anew, once", async () => {
  const { core, inputs, opens } = await opened();
  const source = await opens(1);
  source.tell("state", state(3), "5.3");
  await core.clock.pass(1_000);
  core.page("refresh");
  core.page("refresh");
  const second = await opens(2);
  assert.equal(source.readyState, 2);
  source.tell("state", state(2), "5.2");
  second.tell("state", state(4), "5.4");
  const firsts = inputs.filter((input) => input.is === "first");
  assert.deepEqual(firsts.map(({ state, asked }) => [state.withheld || state.seq, asked]), [[3, 1_000], [4, 2_000]]);
});

test("four streams a tab; other jobs are asked about every 5 s, until there is room", async () => {
  const core = new FakeCore();
  core.answer = (ask) => ok({ ...state(7), jobId: ask.path.split("/")[3] });
  const feed = streamFeed(core);
  const told: string[] = [];
  const up = new Set<string>();
  const stops = [1, 2, 3, 4, 5, 6].map((number) =>
    feed(`job-${number}`, (input) => {
      if (input.is === "first") told.push(`${input.state.jobId} ${input.state.withheld || input.state.seq}`);
      if (input.is === "link" && input.up) up.add(`job-${number}`);
    }),
  );
  await until("four streams", () => core.sources.length === 4);
  await core.clock.pass(100);
  assert.deepEqual(told.splice(0), ["job-5 7", "job-6 7"]);
  for (const source of core.sources) source.tell("job.updated", {});
  assert.deepEqual([...up], ["job-5", "job-6"]);
  await core.clock.pass(9_900);
  assert.deepEqual([told.splice(0).sort(), core.sources.length], [["job-5 7", "job-5 7", "job-6 7", "job-6 7"].sort(), 4]);
  core.visible.set(false);
  await core.clock.pass(60_000);
  told.length = 0;
  await core.clock.pass(60_000);
  assert.deepEqual(told, [], "nobody looks");
  core.visible.set(true);
  await until("four streams again", () => core.sources.length === 8);
  stops[0]!.stop();
  await core.clock.pass(5_000);
  assert.deepEqual(core.sources.slice(8).map(({ path }) => path), ["/api/jobs/job-5/stream"]);
  for (const { stop } of stops) stop();
  core.assertQuiet();
});

test("a stream that has said nothing for 15 s is given up, and the service asked", async () => {
  const { core, opens, take } = await opened();
  core.answer = () => ok(state(2));
  const source = await opens(1);
  await core.clock.pass(14_000);
  assert.deepEqual([take(), source.readyState], [[], 0]);
  await core.clock.pass(2_500);
  assert.deepEqual([take(), source.readyState], [["first 2"], 2]);
  await opens(2);
});

test("where the page may not hash, a stream's state is shown once an answer has said whose page it is", async (t) => {
  Object.defineProperty(globalThis.crypto, "subtle", { value: undefined, configurable: true });
  t.after(() => Reflect.deleteProperty(globalThis.crypto, "subtle"));
  const { core, opens, take } = await opened();
  const answers: ((answer: Answer<unknown>) => void)[] = [];
  core.answer = () => new Promise((resolve) => answers.push(resolve));
  const source = await opens(1);
  source.tell("state", state(3), "5.3");
  source.tell("location.updated", fix(4), "5.4");
  await core.clock.pass(10);
  assert.deepEqual([take(), answers.length], [["link true"], 1]);
  // What was asked before a newer state says nothing of who that one is for.
  source.tell("state", state(5), "5.5");
  answers[0]!(ok(state(4)));
  await core.clock.pass(10);
  assert.deepEqual([take(), answers.length], [["first 4"], 2]);
  answers[1]!(ok(state(5)));
  await core.clock.pass(10);
  source.tell("location.updated", fix(6), "5.6");
  assert.deepEqual(take(), ["first 5", "first 3", "location.updated", "first 5", "location.updated"]);
  // Somebody else's.
  source.tell("state", state(7), "5.7");
  await core.clock.pass(10);
  answers[2]!({ is: "stopped" });
  source.tell("location.updated", fix(8), "5.8");
  await core.clock.pass(60_000);
  assert.deepEqual([take(), answers.length], [[], 3]);
});
