import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Answer, ChannelListener } from "../src/client/types.ts";
import { ablyFeed } from "../src/live/ably.ts";
import { again, FakeCore, listened, ok, refused, settled, until } from "./support/fake-core.ts";

const subHash = createHash("sha256").update("ann").digest("hex");
const CHANNEL = "dispatch:job:job-1";
const state = (seq: number) => ({ jobId: "job-1", epoch: 5, seq, fromSeq: seq, lat: 1, lng: 2, ts: 9, capturedAt: 9, now: 10, ageMs: 1, subHash });
const WITHHELD = { jobId: "job-1", withheld: true, gate: "from", now: 1, subHash };

async function opened(answer: FakeCore["answer"] = () => ok(state(1)), stream = true) {
  const core = new FakeCore();
  core.answer = answer;
  if (!stream) core.stream = undefined;
  const { inputs, take, ask, leave: stop } = listened(ablyFeed(core));
  const channel = core.on(CHANNEL);
  await settled();
  return { core, inputs, stop, channel, take, ask };
}

test("it asks at once, beside attaching, and again once attached, as something may have come between", async () => {
  let seq = 0;
  const { core, inputs, channel, stop, take } = await opened(() => ok(state(++seq)));
  assert.deepEqual(take(), ["first 1"]);
  await core.clock.pass(40);
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  const { asked } = inputs[1] as { asked: number };
  assert.ok(asked >= 1_040 && asked <= 1_540, String(asked));
  assert.equal(core.asks.length, 2);
  assert.deepEqual(take(), ["link true", "first 2"]);
  channel.message!("location.updated", { seq: 3 }, 7_000);
  assert.deepEqual(inputs, [{ is: "message", name: "location.updated", data: { seq: 3 }, at: 7_000 }]);
  stop();
  core.assertQuiet();
});

test("what was asked before it was attached does not count as asked after", async () => {
  const answers: ((answer: Answer<unknown>) => void)[] = [];
  const { core, channel, take } = await opened(() => new Promise((resolve) => answers.push(resolve)));
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  assert.equal(answers.length, 1, "one at a time");
  answers[0]!(ok(state(1)));
  await core.clock.pass(500);
  assert.equal(answers.length, 2);
  answers[1]!(ok(state(2)));
  await core.clock.pass(500);
  assert.deepEqual(take(), ["link true", "first 1", "first 2"]);
  await core.clock.pass(100_000);
  assert.equal(answers.length, 2);
});

test("asked while the channel is well: the first state, once", async () => {
  const { core, channel, take, ask } = await opened();
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  take();
  const { length } = core.asks;
  ask();
  await core.clock.pass(100_000);
  assert.deepEqual([take(), core.asks.length], [["first 1"], length + 1]);
});

test("attached again without a gap: nothing is asked", async () => {
  const { core, channel, take } = await opened();
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  take();
  const asked = core.asks.length;
  core.visible.set(false);
  channel.detached!(core.clock.now());
  channel.attached!(true, core.clock.now());
  await core.clock.pass(500);
  assert.deepEqual([take(), core.asks.length], [["link false", "link true"], asked]);
  channel.detached!(core.clock.now());
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  assert.deepEqual([take(), core.asks.length], [["link false", "link true", "first 1"], asked + 1]);
});

test("a channel that goes while somebody looks: the reason is asked for", async () => {
  const { core, channel, take } = await opened();
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  take();
  core.answer = () => refused("not_a_participant");
  channel.detached!(core.clock.now());
  await core.clock.pass(500);
  assert.deepEqual(take(), ["link false", "not_yours"]);
});

test("no answer: again, after 1 to 30 s, and no sooner than the service says", async () => {
  const { core, channel, take } = await opened(() => again());
  channel.refused!(core.clock.now());
  await core.clock.pass(500);
  const times: number[] = [];
  core.answer = () => (times.push(core.clock.now()), again());
  await core.clock.pass(200_000);
  const waits = times.slice(1).map((time, index) => time - times[index]!);
  assert.ok(times[0]! >= 2_000 && times[0]! <= 3_000, `${times[0]}`);
  assert.ok(waits.every((wait) => wait >= 500 && wait <= 30_000) && waits.at(-1)! >= 15_000, `${waits}`);
  assert.deepEqual(take(), ["link false"]);
  core.answer = () => (times.push(core.clock.now()), again(45_000));
  await core.clock.pass(100_000);
  const [last, before] = [times.at(-1)!, times.at(-2)!];
  assert.equal(Math.round(last - before), 45_000);
  core.answer = () => ok(state(1));
  await core.clock.pass(45_000);
  assert.equal(take()[0], "first 1");
});

test("an answer that fails while the channel is there is no cut", async () => {
  const { core, channel, take } = await opened(() => again());
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  take();
  await core.clock.pass(5_000);
  assert.deepEqual(take(), []);
  core.connection.set({ state: "offline" });
  core.connection.set({ state: "offline" });
  assert.deepEqual(take(), ["link false"]);
  core.connection.set({ state: "connected" });
  assert.deepEqual(take(), ["link true"]);
});

test("ended, for good: by an answer, by a message", async () => {
  const byAnswer = await opened(() => refused("job_closed"));
  assert.deepEqual(byAnswer.take(), ["ended"]);
  byAnswer.core.assertQuiet();
  const byMessage = await opened();
  byMessage.take();
  byMessage.channel.message!("job.closed", { jobId: "job-1", reason: "done" }, 1);
  assert.deepEqual(byMessage.take(), ["job.closed"]);
  byMessage.core.assertQuiet();
  byMessage.stop();
});

test("not yours, until the service says otherwise: by a refresh, by the channel, or a minute later", async () => {
  for (const [name, happens] of [
    ["refresh", async (core: FakeCore) => core.page("refresh")],
    ["channel", async (core: FakeCore) => core.on(CHANNEL).attached!(false, core.clock.now())],
    ["time", async (core: FakeCore) => core.clock.pass(60_000)],
  ] as const) {
    const { core, take } = await opened(() => refused("not_registered", 404));
    await core.clock.pass(30_000);
    assert.deepEqual([take(), core.asks.length], [["not_yours"], 1]);
    core.answer = () => ok(state(1));
    await happens(core);
    await core.clock.pass(500);
    assert.equal(take().at(-1), "first 1", name);
  }
});

test("who takes part has changed: asked at once", async () => {
  const { core, channel, take } = await opened();
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  take();
  core.answer = () => refused("not_a_participant");
  channel.message!("job.updated", { type: "photo.added" }, 1);
  channel.message!("job.updated", null, 1);
  await core.clock.pass(500);
  assert.deepEqual(take(), ["job.updated", "job.updated"]);
  channel.message!("job.updated", { type: "registration" }, 1);
  await core.clock.pass(500);
  assert.deepEqual(take(), ["job.updated", "not_yours"]);
});

test("a reader whom a token does not let in has the stream until it does", async () => {
  const { core, channel, stop, take } = await opened();
  take();
  channel.refused!(core.clock.now());
  channel.refused!(core.clock.now());
  await until("a stream", () => core.sources.length === 1);
  await core.clock.pass(500);
  const [source] = core.sources;
  source!.tell("state", state(2), "5.2");
  source!.tell("location.updated", { seq: 3 }, "5.3");
  source!.breaks();
  assert.deepEqual(take().filter((what) => what !== "first 1"), ["link true", "first 2", "location.updated", "link false"]);
  channel.detached!(core.clock.now());
  core.answer = () => ok(state(4));
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  assert.equal(source!.readyState, 2);
  assert.deepEqual(take().slice(-2), ["first 4", "link true"]);
  channel.detached!(core.clock.now());
  assert.deepEqual(take(), ["link false"]);
  stop();
  await core.clock.pass(500);
  core.assertQuiet();
});

test("behind a gate: the stream, and nothing of the channel", async () => {
  const { core, channel, take } = await opened();
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  take();
  // A gate is put while the page is open.
  core.answer = () => ok(WITHHELD);
  channel.message!("job.updated", { type: "registration" }, 1);
  await until("a stream", () => core.sources.length === 1);
  channel.message!("location.updated", { seq: 9 }, 1);
  const [source] = core.sources;
  source!.tell("state", WITHHELD);
  source!.tell("gate.opened", {});
  source!.tell("state", state(9), "5.9");
  assert.deepEqual(take(), ["job.updated", "first withheld", "first withheld", "opened", "first 9"]);
  // The gate is taken away, and the channel comes after that.
  core.answer = () => ok(state(10));
  channel.detached!(core.clock.now());
  await core.clock.pass(500);
  assert.deepEqual([take(), source!.readyState], [["first 10"], 0], "until then the stream is there");
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  channel.message!("location.updated", { seq: 11 }, 1);
  assert.deepEqual([take(), source!.readyState], [["first 10", "location.updated"], 2]);
});

test("by the stream that stands in: ended ends all, not yours stays with it", async () => {
  const { core, channel, take } = await opened();
  channel.refused!(core.clock.now());
  await until("a stream", () => core.sources.length === 1);
  take();
  core.answer = () => refused("not_a_participant");
  core.sources[0]!.tell("end", { reason: "removed" });
  await core.clock.pass(500);
  assert.deepEqual(take(), ["not_yours", "not_yours"]);
  core.page("refresh");
  await until("both have asked", () => core.asks.length >= 4);
  await core.clock.pass(500);
  assert.equal(take().at(-1), "not_yours");
  core.answer = () => refused("job_closed");
  core.page("refresh");
  await core.clock.pass(500);
  assert.deepEqual(take(), ["ended"]);
  core.assertQuiet();
});

test("without a stream: every 5 s while the page is seen", async () => {
  let seq = 0;
  const { core, channel, take, stop } = await opened(() => ok(state(++seq)), false);
  channel.refused!(core.clock.now());
  await settled();
  assert.deepEqual(take(), ["first 1", "first 2", "link true"]);
  await core.clock.pass(10_100);
  assert.deepEqual(take(), ["first 3", "first 4"]);
  core.answer = () => again();
  await core.clock.pass(5_000);
  assert.deepEqual(take(), ["link false"]);
  core.answer = () => ok(state(++seq));
  await core.clock.pass(1_000);
  assert.deepEqual(take(), ["first 5", "link true"]);
  core.visible.set(false);
  await core.clock.pass(60_000);
  assert.deepEqual(take(), [], "nobody looks");
  core.visible.set(true);
  await core.clock.pass(500);
  assert.deepEqual(take(), ["first 6"]);
  channel.attached!(false, core.clock.now());
  await core.clock.pass(60_000);
  assert.deepEqual(take(), ["first 7"]);
  stop();
  core.assertQuiet();
});

test("whoever has stopped hears nothing, whatever is still on its way", async () => {
  let answer: ((answer: Answer<unknown>) => void) | undefined;
  const { core, stop, take } = await opened(() => new Promise((resolve) => (answer = resolve)));
  stop();
  answer!(ok(state(1)));
  await core.clock.pass(100_000);
  assert.deepEqual([take(), core.asks.length, core.sources.length], [[], 1, 0]);
  core.assertQuiet();
});

test("removed while Ably is away: known by the stream that stands in, or by a request every 5 s, and asked by nobody who does not look", async () => {
  for (const stream of [true, false]) {
    const { core, channel, take, stop } = await opened(() => ok(state(1)), stream);
    channel.attached!(false, core.clock.now());
    await core.clock.pass(500);
    channel.detached!(core.clock.now());
    core.connection.set({ state: "offline" });
    await core.clock.pass(4_000);
    assert.deepEqual([take().slice(-2), core.sources.length], [["link false", "first 1"], 0]);
    core.visible.set(false);
    await core.clock.pass(30_000);
    assert.deepEqual([take(), core.sources.length], [[], 0]);
    core.visible.set(true);
    await core.clock.pass(10_000);
    if (stream) await until("a stream", () => core.sources.length === 1);
    else assert.equal(take().at(-1), "link true");
    core.connection.set({ state: "offline" });
    core.answer = () => refused("not_a_participant");
    core.sources[0]?.tell("end", { reason: "removed" });
    await core.clock.pass(5_000);
    assert.deepEqual(take().filter((what) => what.startsWith("link") || what === "not_yours").at(-1), "not_yours");
    stop();
    core.assertQuiet();
  }
});

test("Ably that is not reached from the beginning: the same; as soon as it is, the channel again", async () => {
  const { core, channel, take, stop } = await opened();
  await core.clock.pass(10_000);
  await until("a stream", () => core.sources.length === 1);
  channel.attached!(false, core.clock.now());
  await core.clock.pass(500);
  assert.equal(core.sources[0]!.readyState, 2);
  take();
  await core.clock.pass(60_000);
  assert.deepEqual([take(), core.sources.length], [[], 1]);
  stop();
  core.assertQuiet();
});

test("who polls as Ably refuses all is not offline by Ably's word", async () => {
  const { core, channel, take } = await opened(() => ok(state(1)), false);
  channel.refused!(core.clock.now());
  core.connection.set({ state: "offline", reason: "refused" });
  await core.clock.pass(500);
  core.connection.set({ state: "connecting" });
  core.connection.set({ state: "offline", reason: "refused" });
  assert.ok(take().every((what) => what !== "link false"));
});

/** Many jobs of one viewer; each answer takes 50 ms. */
function many(count: number) {
  const core = new FakeCore();
  core.stream = undefined;
  let inFlight = 0;
  let most = 0;
  core.answer = async () => {
    most = Math.max(most, ++inFlight);
    await new Promise<void>((resolve) => void core.clock.after(50, resolve));
    inFlight--;
    return ok(state(1));
  };
  const ids = Array.from({ length: count }, (_, n) => `job-${n}`);
  const feed = ablyFeed(core);
  const stops = ids.map((id) => feed(id, () => {}));
  const each = (call: (channel: ChannelListener) => void) => ids.forEach((id) => call(core.on(`dispatch:job:${id}`)));
  return { core, each, stop: () => stops.forEach((stop) => stop.stop()), asked: () => core.asks.splice(0).length, most: () => most };
}

test("of 200 jobs at most eight are asked about at once; a cut is asked about a little later, and not where it is over by then", async () => {
  const { core, each, stop, asked, most } = many(200);
  await core.clock.pass(400);
  each((channel) => channel.attached!(false, core.clock.now()));
  await core.clock.pass(5_000);
  // Those whose turn had not come before they were attached are asked about once.
  assert.ok(asked() < 320);
  each((channel) => channel.detached!(core.clock.now()));
  await settled();
  each((channel) => channel.attached!(true, core.clock.now()));
  await core.clock.pass(2_000);
  assert.equal(asked(), 0);
  each((channel) => channel.detached!(core.clock.now()));
  await core.clock.pass(2_000);
  assert.equal(asked(), 200);
  assert.equal(most(), 8);
  stop();
  await core.clock.pass(100);
  core.assertQuiet();
});

test("what was to be asked as something was missed is asked also where a cut comes between", async () => {
  const { core, channel } = await opened();
  channel.attached!(false, core.clock.now());
  channel.detached!(core.clock.now());
  channel.attached!(true, core.clock.now());
  await core.clock.pass(500);
  assert.equal(core.asks.length, 2);
});

test("many that have neither channel nor stream are asked about more rarely: ten a second in all", async () => {
  const { core, each, asked } = many(100);
  each((channel) => channel.refused!(core.clock.now()));
  await core.clock.pass(10_000);
  asked();
  await core.clock.pass(60_000);
  const count = asked();
  assert.ok(count >= 500 && count <= 620, String(count));
});
