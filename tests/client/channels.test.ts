// The client's channels over the real `ably`, against the local Ably and the service.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import Ably from "ably";
import { createTowline, type ChannelListener, type Clock, type TowlineOptions } from "../../clients/typescript/src/client/index.ts";
import { bentClock, machineClock, onTab, shownPage } from "../../clients/typescript/tests/support/platform.ts";
import { LocalAbly } from "../e2e/support/ably.ts";
import { channelOf, post } from "../e2e/support/driving.ts";
import { Relay } from "../e2e/support/relay.ts";
import { eventually } from "../e2e/support/wait.ts";
import { startWorkerd } from "../e2e/support/workerd.ts";
import { unique, World } from "../e2e/support/world.ts";
import { listens, namesOf, noting, onChannel, sees, tab } from "./support/tab.ts";

const world = await World.forThisFile({}, () => LocalAbly.start(), startWorkerd);

suite("channels", { concurrency: 4 }, () => {
  test("a listener hears what is published, and leaves nothing behind", async (t) => {
    const job = unique("job");
    const { towline, made } = tab(t, { role: "customer", jobs: [job] }, world);
    assert.equal(towline.connection.get().state, "idle");
    const one = noting();
    const off = listens(towline, job, one.listener);
    await sees("the channel", one, "attached");
    assert.equal(towline.connection.get().state, "connected");
    await post(world, world.session({ role: "driver", jobs: [job] }), job, { lat: 1, lng: 2 });
    await sees("the fix", one, "location.updated");
    const two = noting();
    const offToo = listens(towline, job, two.listener);
    await sees("a second listener", two, "attached");
    off();
    assert.equal(await onChannel(world, channelOf(job)), 1);
    offToo();
    await eventually("the connection to close", () => (made[0]!.connection.state === "closed" ? true : undefined));
    assert.equal(towline.connection.get().state, "idle");
    assert.deepEqual(two.seen, ["attached"]);
    assert.equal(made.length, 1);
    await eventually("nobody to be on the channel", async () => ((await onChannel(world, channelOf(job))) === 0 ? true : undefined));
  });

  test("what comes and goes in a tick opens nothing", async (t) => {
    const { towline, made, requests } = tab(t, { role: "dispatcher" }, world);
    for (let n = 0; n < 3; n += 1) listens(towline, unique("job"), {})();
    const stays = noting();
    const job = unique("job");
    listens(towline, job, stays.listener)();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual([made.length, requests, towline.connection.get().state], [0, [], "idle"]);
    // Nor where there is a connection.
    listens(towline, job, stays.listener);
    await sees("the channel", stays, "attached");
    const get = t.mock.method(made[0]!.channels, "get");
    listens(towline, unique("job"), {})();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(get.mock.callCount(), 0);
    assert.deepEqual(namesOf(made[0]!), [channelOf(job)]);
  });

  test("a channel that is let go while it is being attached, and wanted again while it is being detached", async (t) => {
    // Nobody lingers, and what is soon is before anything can be answered.
    const after: Clock["after"] = (ms, call) => {
      if (ms > 1_000) return machineClock.after(ms, call);
      let isDue = true;
      queueMicrotask(() => isDue && call());
      return () => void (isDue = false);
    };
    const clock = { ...machineClock, after };
    const { towline, changes } = tab(t, { role: "dispatcher" }, world, { clock });
    const stays = noting();
    listens(towline, unique("job"), stays.listener);
    await sees("a channel that keeps the connection", stays, "attached");
    const job = unique("job");
    const states: string[] = [];
    const [first, last] = [noting(), noting()];
    let off = () => {};
    changes.on(channelOf(job), (state) => {
      states.push(state);
      if (states.length === 1) off();
      if (state === "detaching") queueMicrotask(() => listens(towline, job, last.listener));
    });
    off = listens(towline, job, first.listener);
    await sees("the last listener", last, "attached");
    assert.deepEqual(states, ["attaching", "attached", "detaching", "detached", "attaching", "attached"]);
    assert.deepEqual([first.seen, last.seen], [[], ["attached"]]);
  });

  test("60 fast switches leave one connection, and the channels in view", async (t) => {
    const { towline, made } = tab(t, { role: "dispatcher" }, world);
    const inView = noting();
    const first = unique("job");
    listens(towline, first, inView.listener);
    const jobs: string[] = [];
    for (let n = 0; n < 60; n += 1) {
      const job = unique("job");
      jobs.push(job);
      const off = listens(towline, job, {});
      await new Promise((resolve) => setTimeout(resolve, n % 3 === 0 ? 0 : 10));
      off();
    }
    const last = noting();
    listens(towline, jobs[0]!, last.listener);
    await sees("the last", last, "attached");
    await eventually("the others to be released", () => {
      return namesOf(made[0]!).length === 2 ? true : undefined;
    });
    assert.equal(made.length, 1);
    assert.deepEqual(await Promise.all([first, ...jobs].map((job) => onChannel(world, channelOf(job)))), [1, 1, ...jobs.slice(1).map(() => 0)]);
    assert.deepEqual(inView.seen, ["attached"]);
  });

  test("a network that is cut is told, and nothing is missed where it was short", async (t) => {
    const relay = await Relay.to((world.ably as LocalAbly).port);
    t.after(() => relay.stop());
    const job = unique("job");
    const { towline, made, shown } = tab(t, { role: "customer", jobs: [job] }, world, {}, { port: relay.port });
    const one = noting();
    listens(towline, job, one.listener);
    await sees("the channel", one, "attached");
    relay.cut();
    await sees("the cut", one, "detached");
    assert.equal(towline.connection.get().state, "offline");
    await post(world, world.session({ role: "driver", jobs: [job] }), job, { lat: 1, lng: 2 });
    relay.open();
    shown.fire("online");
    await sees("what came meanwhile", one, "location.updated");
    assert.deepEqual(one.seen, ["attached", "detached", "attached on", "location.updated"]);
    assert.equal(towline.connection.get().state, "connected");
    assert.equal(made.length, 1);
  });

  test("presence: who enters is seen with their data, also by who comes later, until they leave", async (t) => {
    const [here, there] = [tab(t, { role: "dispatcher" }, world), tab(t, { role: "driver" }, world)];
    const name = "presence:dispatch";
    const members: string[] = [];
    const presence: ChannelListener["presence"] = (all) => void members.push(all.map(({ clientId, data }) => `${clientId} ${data}`).join());
    here.towline.channels!.listen(name, { presence });
    await eventually("nobody to be there", () => (members.includes("") ? true : undefined));
    const off = there.towline.channels!.enter(name, "on");
    const seen = (what: string) => eventually(`${what}, after ${members.join("; ")}`, () => (members.at(-1) === what ? true : undefined));
    await seen(`${there.who.sub} on`);
    const more = there.towline.channels!.enter(name, "busy");
    await seen(`${there.who.sub} busy`);
    more();
    await seen(`${there.who.sub} on`);
    // The same tab, which only listened before.
    const own = here.towline.channels!.enter(name, "desk");
    await eventually("both", () => (members.at(-1)?.includes("desk") && members.at(-1)?.includes("on") ? true : undefined));
    const late = tab(t, { role: "dispatcher" }, world);
    const lately: number[] = [];
    late.towline.channels!.listen(name, { presence: (all) => void lately.push(all.length) });
    await eventually("who comes later to see both", () => (lately.at(-1) === 2 ? true : undefined));
    off();
    own();
    await seen("");
    await eventually("the driver's connection to close", () => (there.made[0]!.connection.state === "closed" ? true : undefined));
  });

  test("who was present on a channel that Ably has refused is so again once it has it back", async (t) => {
    const { clock } = bentClock({ 5_000: 10 });
    const { towline, made } = tab(t, { role: "dispatcher" }, world, { clock });
    const name = `presence:dispatch:${unique("west")}`;
    const one = noting();
    towline.channels!.listen(name, one.listener);
    towline.channels!.enter(name, "on");
    await sees("the channel", one, "attached");
    const channel = made[0]!.channels.get(name) as Ably.RealtimeChannel & { notifyState(state: string, reason: Ably.ErrorInfo): void };
    const enters = t.mock.method(channel.presence, "enter");
    channel.notifyState("failed", new Ably.ErrorInfo("refused", 40160, 401));
    await eventually("it again", () => (one.seen.length === 4 ? true : undefined));
    assert.deepEqual(one.seen, ["attached", "detached", "refused", "attached"]);
    await eventually("them to enter", () => (enters.mock.callCount() > 0 ? true : undefined));
  });

  test("200 channels: who comes later has none, until another goes", async (t) => {
    const { towline, made } = tab(t, { role: "dispatcher" }, world);
    const all = Array.from({ length: 201 }, () => ({ ...noting(), job: unique("job") }));
    const offs = all.map(({ job, listener }) => listens(towline, job, listener));
    await eventually("200 to be attached", () => (all.filter(({ seen }) => seen.includes("attached")).length === 200 ? true : undefined));
    const last = all.at(-1)!;
    assert.deepEqual(last.seen, ["refused"]);
    assert.equal(namesOf(made[0]!).length, 200);
    offs[0]!();
    await sees("the last", last, "attached");
    assert.equal(made.length, 1);
    assert.deepEqual(all.slice(1, 200).map(({ seen }) => seen.join()), Array(199).fill("attached"));
  });

  test("a tab that nobody looks at for a minute has no connection, and all its channels once it is seen", async (t) => {
    const { clock, due, waiting } = bentClock({}, [60_000]);
    const { towline, made, shown, who } = tab(t, { role: "customer", jobs: [unique("job"), unique("job")] }, world, { clock });
    const [one, other, later] = [noting(), noting(), noting()];
    listens(towline, who.jobs![0]!, one.listener);
    await sees("the channel", one, "attached");
    shown.hide();
    assert.equal(towline.connection.get().state, "connected");
    shown.show();
    assert.equal(waiting.size, 0);
    shown.hide();
    due();
    assert.equal(towline.connection.get().state, "hidden");
    await eventually("the connection to close", () => (made[0]!.connection.state === "closed" ? true : undefined));
    listens(towline, who.jobs![1]!, later.listener);
    listens(towline, who.jobs![0]!, other.listener);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(towline.connection.get().state, "hidden");
    shown.show();
    await sees("what came while nobody looked", later, "attached");
    await eventually("the first again", () => (one.seen.length === 3 ? true : undefined));
    assert.deepEqual([one.seen, other.seen, later.seen], [["attached", "detached", "attached"], ["attached"], ["attached"]]);
    assert.deepEqual(made.map(({ connection }) => connection.state), ["closed", "connected"]);
  });

  test("who is on duty stays connected, seen or not", async (t) => {
    const { clock, due } = bentClock({}, [60_000]);
    const { towline, made, shown } = tab(t, { role: "driver" }, world, { clock });
    const off = towline.channels!.enter("presence:dispatch", "on");
    await eventually("the connection", () => (towline.connection.get().state === "connected" ? true : undefined));
    shown.hide();
    due();
    assert.equal(towline.connection.get().state, "connected");
    off();
    await eventually("it to be idle", () => (towline.connection.get().state === "idle" ? true : undefined));
    // A tab that goes on duty while nobody looks at it is so too.
    towline.channels!.enter("presence:dispatch", "on");
    await eventually("the connection again", () => (towline.connection.get().state === "connected" ? true : undefined));
    assert.equal(made.length, 2);
  });

  test("a page that is put away is off duty at once, and back with all its channels where it comes back", async (t) => {
    const watching = tab(t, { role: "dispatcher" }, world);
    const members: string[] = [];
    const name = `presence:dispatch:${unique("west")}`;
    watching.towline.channels!.listen(name, { presence: (all) => void members.push(all.map(({ data }) => data).join()) });
    const { towline, made, shown } = tab(t, { role: "dispatcher" }, world);
    const job = unique("job");
    const one = noting();
    listens(towline, job, one.listener);
    towline.channels!.enter(name, "on");
    await eventually("their presence", () => (members.at(-1) === "on" ? true : undefined));
    shown.fire("pagehide", true);
    assert.equal(towline.connection.get().state, "hidden");
    assert.deepEqual(one.seen, ["attached", "detached"]);
    await eventually("their absence", () => (members.at(-1) === "" ? true : undefined));
    shown.fire("pageshow", true);
    await eventually("their presence again", () => (members.at(-1) === "on" ? true : undefined));
    await eventually("the channel again", () => (one.seen.at(-1) === "attached" ? true : undefined));
    assert.equal(made.length, 2);
  });

  test("who comes and goes fast hears all that comes after, and leaves nothing behind", async (t) => {
    // Nobody lingers, so each of them is detached and attached again and again.
    const { clock } = bentClock({ 1_000: 3 });
    const { towline, made } = tab(t, { role: "dispatcher" }, world, { clock });
    const stays = noting();
    listens(towline, unique("job"), stays.listener);
    await sees("a channel that keeps the connection", stays, "attached");
    const jobs = [unique("job"), unique("job"), unique("job")];
    const hear = async (job: string) => {
      for (let n = 0; n < 40; n += 1) {
        const off = listens(towline, job, {});
        await new Promise((resolve) => setTimeout(resolve, [0, 1, 2, 4, 8][Math.floor(Math.random() * 5)]));
        off();
        await new Promise((resolve) => setTimeout(resolve, [0, 1, 4, 8, 12][Math.floor(Math.random() * 5)]));
      }
      const last = noting();
      return { last, off: listens(towline, job, last.listener), job };
    };
    const ends = await Promise.all(jobs.map(hear));
    for (const { last, job } of ends) {
      await sees("the last listener", last, "attached");
      await post(world, world.session({ role: "driver", jobs: [job] }), job, { lat: 1, lng: 2 });
      await sees("what came after", last, "location.updated");
      assert.deepEqual(last.seen, ["attached", "location.updated"]);
    }
    for (const { off } of ends) off();
    for (const { job } of ends) await eventually("nobody to be on the channel", async () => ((await onChannel(world, channelOf(job))) === 0 ? true : undefined));
    assert.deepEqual([stays.seen, made.length], [["attached"], 1]);
  });

  test("where Ably's client cannot be loaded, it is loaded later", async (t) => {
    const { clock } = bentClock({ 5_000: 10 });
    const job = unique("job");
    let loads = 0;
    const towline = createTowline(
      {
        url: world.url,
        getSession: async () => world.session({ role: "customer", jobs: [job], sub: "ann" }),
        ably: async () => ((loads += 1) < 3 ? Promise.reject(new Error("no network")) : { default: Ably }),
        ablyOptions: { ...world.ably.address, logLevel: 0 },
      },
      onTab({ page: shownPage().page, clock }),
    );
    t.after(() => towline.close());
    const states: string[] = [];
    towline.connection.subscribe(() => void states.push(towline.connection.get().state));
    const one = noting();
    listens(towline, job, one.listener);
    await sees("the channel", one, "attached");
    assert.deepEqual([loads, states], [3, ["connecting", "offline", "connected"]]);
  });

  test("a service that does not answer is asked again, and nothing is final", async (t) => {
    let down = true;
    const job = unique("job");
    const { towline, shown } = tab(t, { role: "customer", jobs: [job] }, world, {
      fetch: async (url, init) => (down ? new Response("<html>", { status: 403, headers: { "content-type": "text/html" } }) : fetch(url, init)),
    });
    const one = noting();
    listens(towline, job, one.listener);
    await eventually("it to be offline", () => (towline.connection.get().state === "offline" ? true : undefined));
    down = false;
    shown.fire("online");
    await sees("the channel", one, "attached");
    assert.deepEqual(one.seen, ["attached"]);
  });

  test("who comes as something is published is told that it is attached, and hears it", async (t) => {
    const { towline, who, made } = tab(t, { role: "customer", jobs: [unique("job")] }, world);
    const [one, two] = [noting(), noting()];
    const job = who.jobs![0]!;
    one.listener.message = (name) => void (name === "first" && listens(towline, job, two.listener));
    listens(towline, job, one.listener);
    await sees("the channel", one, "attached");
    // In the moment in which the next message is there already.
    const { subscriptions } = made[0]!.channels.get(channelOf(job)) as unknown as { subscriptions: { emit(name: string, message: object): void } };
    subscriptions.emit("first", { name: "first", data: 1 });
    subscriptions.emit("second", { name: "second", data: 2 });
    await sees("who has come", two, "attached");
    assert.ok(two.seen.includes("second"));
  });

  test("`ably` as it is imported is what is asked for", () => {
    const ably: TowlineOptions["ably"] = () => import("ably");
    assert.ok(ably);
  });
});
