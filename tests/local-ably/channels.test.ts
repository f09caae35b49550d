import assert from "node:assert/strict";
import { able, fails, inState, Inbox, KEY, localAbly, messagesOf, settled, soon } from "./support.ts";

const test = localAbly();

test("a capability allows what it names and nothing else", async ({ realtime, rest, name }) => {
  const [reading, writing] = [name("read"), name()];
  const token = able({ "read:*": ["subscribe"], [writing]: ["publish"] }, { "x-ably-clientId": "u" });
  const client = realtime({ token });
  await inState(client.connection, "connected");
  assert.equal(client.auth.clientId, "u");
  const channel = client.channels.get(reading);
  await channel.attach();
  assert.equal((await fails(channel.publish("n", "d"), 40160)).statusCode, 401);
  await fails(client.channels.get("elsewhere").attach(), 40160);
  assert.equal(client.channels.get("elsewhere").state, "failed");
  await client.channels.get(writing).publish("n", "d");
  await fails(rest({ token }).channels.get(reading).publish("n", "d"), 40160);
  assert.equal(client.connection.state, "connected");
});

test("a name that is none fails its channel alone", async ({ realtime }) => {
  const client = realtime();
  for (const name of ["", ":a", ",a", " a", "[x]a", "a\nb", "[filter=bmFtZSA9PSBgeGA]a"]) {
    await fails(client.channels.get(name).attach(), 40010);
    await fails(client.channels.get(name).publish("n", "d"), 90001);
  }
  await fails(client.channels.get(":never attached").publish("n", "d"), 40010);
  assert.equal(client.connection.state, "connected");
});

test("modes and params are asked for, told, and changed", async ({ realtime, name }) => {
  const channel = realtime().channels.get(name(), { modes: ["SUBSCRIBE"], params: { rewind: "1" } });
  await channel.attach();
  assert.deepEqual([channel.modes, channel.params], [["subscribe"], { rewind: "1" }]);
  await fails(channel.publish("n", "d"), 40165);
  await channel.setOptions({ modes: ["PUBLISH", "SUBSCRIBE"] });
  assert.deepEqual([...channel.modes].sort(), ["publish", "subscribe"]);
  await channel.publish("n", "d");
});

test("rewind brings what was published before, again after a detach", async ({ realtime, rest, name }) => {
  const publisher = rest().channels.get(name());
  for (let index = 0; index < 5; index += 1) await publisher.publish("n", String(index));
  const client = realtime();
  const params = { rewind: 2 } as unknown as Record<string, string>;
  const channel = client.channels.get(publisher.name, { params });
  const messages = await messagesOf(channel);
  await messages.until(2);
  await channel.detach();
  await channel.attach();
  await messages.until(4);
  assert.deepEqual(messages.all.map((message) => message.data), ["3", "4", "3", "4"]);
  const qualified = await messagesOf(client.channels.get(`[?rewind=1]${publisher.name}`));
  await publisher.publish("n", "live");
  await qualified.until(2);
  assert.deepEqual(qualified.all.map((message) => message.data), ["4", "live"]);
  await fails(client.channels.get(name(), { params: { rewind: "soon" } }).attach(), 40000);
});

test("occupancy comes as events whose data is an object", async ({ realtime, other, name }) => {
  const watcher = realtime().channels.get(name(), { params: { occupancy: "metrics" } });
  const counts = new Inbox<{ metrics: Record<string, number> }>();
  await watcher.subscribe("[meta]occupancy", (message) => counts.push(message.data));
  await counts.until(1);
  assert.deepEqual(counts.all[0]?.metrics, {
    connections: 1,
    publishers: 1,
    subscribers: 1,
    presenceConnections: 1,
    presenceMembers: 0,
    presenceSubscribers: 1,
  });
  const member = other({ key: KEY, clientId: "c" }).channels.get(watcher.name);
  await member.presence.enter();
  await counts.until(2);
  assert.equal(counts.all[1]?.metrics.presenceMembers, 1);
  const token = able({ [watcher.name]: ["subscribe"] });
  await fails(realtime({ token }).channels.get(watcher.name, { params: { occupancy: "metrics" } }).attach(), 40160);
});

test("history is read in pages, in both directions, and up to the attach", async ({ realtime, rest, name }) => {
  const channel = rest().channels.get(name());
  for (let index = 0; index < 5; index += 1) await channel.publish("n", String(index));
  const data = (page: { items: { data?: unknown }[] } | null) => page?.items.map((item) => item.data);
  const first = await channel.history({ limit: 2 });
  const second = await first.next();
  const third = await second?.next();
  assert.deepEqual([first, second, third ?? null].map(data), [["4", "3"], ["2", "1"], ["0"]]);
  assert.equal(third?.isLast(), true);
  assert.deepEqual(data((await third?.first()) ?? null), ["4", "3"]);
  assert.deepEqual(data(await channel.history({ direction: "forwards", limit: 3 })), ["0", "1", "2"]);
  const attached = realtime().channels.get(channel.name);
  await attached.attach();
  await channel.publish("n", "later");
  assert.deepEqual(data(await attached.history({ untilAttach: true })), ["4", "3", "2", "1", "0"]);
});

test("detached clients hear nothing", async ({ realtime, rest, name }) => {
  const client = realtime();
  const channel = client.channels.get(name());
  const messages = await messagesOf(channel);
  await soon(channel.detach(), "detached");
  await rest().channels.get(channel.name).publish("n", "d");
  await settled(client);
  assert.deepEqual(messages.all, []);
});
