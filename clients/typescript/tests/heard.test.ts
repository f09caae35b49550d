import assert from "node:assert/strict";
import { test } from "node:test";
import { whileHeard } from "../src/heard.ts";
import { FakeCore, settled, throws } from "./support/fake-core.ts";

function made() {
  const core = new FakeCore();
  const log: string[] = [];
  let tell: (value: string) => void = () => {};
  const store = whileHeard<string>(core, () => "", (_, set) => {
    log.push("open");
    tell = set;
    return { close: () => log.push("close"), refresh: () => log.push("refresh") };
  });
  return { core, store, log, tell: (value: string) => tell(value), teller: () => tell };
}

test("StrictMode: subscribed, left and subscribed in one tick opens once", async () => {
  const { core, store, log } = made();
  store.subscribe(() => {})();
  const leave = store.subscribe(() => {});
  assert.deepEqual(log, [], "not within the tick");
  await settled();
  leave();
  store.subscribe(() => {});
  await core.clock.pass(10_000);
  assert.deepEqual(log, ["open"]);
});

test("who goes in the tick in which it came opens nothing", async () => {
  const { core, store, log } = made();
  store.subscribe(() => {})();
  await core.clock.pass(10_000);
  assert.deepEqual(log, []);
  core.assertQuiet();
});

test("it closes a second after the last one, and forgets", async () => {
  const { core, store, log, tell, teller } = made();
  const same = () => {};
  const [first, second] = [store.subscribe(same), store.subscribe(same)];
  await settled();
  tell("a");
  first();
  first();
  await core.clock.pass(5_000);
  assert.deepEqual([log, store.get()], [["open"], "a"], "one of the same function is left");
  second();
  await core.clock.pass(900);
  assert.equal(store.get(), "a");
  await core.clock.pass(200);
  assert.deepEqual([log, store.get()], [["open", "close"], ""]);
  core.assertQuiet();
  teller()("late");
  assert.equal(store.get(), "");
  store.subscribe(same);
  await settled();
  assert.deepEqual(log, ["open", "close", "open"]);
});

test("each change is told once, and what is no change is not", async () => {
  const { store, tell } = made();
  const heard: string[] = [];
  store.subscribe(() => void heard.push(store.get()));
  await settled();
  tell("a");
  tell("a");
  tell("b");
  assert.deepEqual(heard, ["a", "b"]);
});

test("put away: forgotten at once, whatever still comes; and opened anew once it is seen", async () => {
  const { core, store, log, tell, teller } = made();
  const heard: string[] = [];
  store.subscribe(() => void heard.push(store.get()));
  await settled();
  tell("a");
  const before = teller();
  core.page("erase");
  before("late");
  assert.deepEqual([heard, log], [["a", ""], ["open", "close"]]);
  core.page("refresh");
  await settled();
  assert.deepEqual(log, ["open", "close", "open"]);
  before("later");
  tell("b");
  core.page("refresh");
  assert.deepEqual([heard, log], [["a", "", "b"], ["open", "close", "open", "refresh"]]);
  core.page("stop");
  assert.deepEqual([store.get(), log.at(-1)], ["", "close"]);
});

test("what one listener throws is kept from no other, nor from who sets it", async (t) => {
  const thrown = throws(t);
  const { store, tell } = made();
  const seen: string[] = [];
  store.subscribe(() => {
    throw new Error("a listener's");
  });
  store.subscribe(() => void seen.push(store.get()));
  await settled();
  tell("a");
  await settled();
  assert.deepEqual([seen, thrown], [["a"], ["a listener's"]]);
});
