// Who is on duty: drivers show that they are, dispatchers see it, drivers do not see each other.

import assert from "node:assert/strict";
import type { PresenceAction, PresenceMessage, Realtime, RealtimeChannel } from "ably";
import { inBothFormats, refused } from "./support/clients.ts";
import { eventually } from "./support/wait.ts";
import { unique, World } from "./support/world.ts";

const world = await World.forThisFile();
const ON_DUTY = "presence:dispatch";

/** What is told of some users on a channel; others may be on duty in the same app. */
class Watch {
  readonly seen: PresenceMessage[] = [];
  readonly channel: RealtimeChannel;

  private constructor(channel: RealtimeChannel) {
    this.channel = channel;
  }

  static async on(client: Realtime, name: string): Promise<Watch> {
    const watch = new Watch(client.channels.get(name));
    await watch.channel.presence.subscribe((message) => void watch.seen.push(message));
    return watch;
  }

  of(user: string) {
    return this.seen.filter(({ clientId }) => clientId === user);
  }

  sees(user: string, action: PresenceAction) {
    return eventually(`${user} to ${action}`, () => this.of(user).find((message) => message.action === action));
  }

  async members(...users: string[]) {
    const members = await this.channel.presence.get();
    return members.filter(({ clientId }) => users.includes(clientId)).map(({ clientId, data }) => [clientId, data]);
  }
}

inBothFormats(world, "a dispatcher sees a driver come on duty, change, and leave by closing", async (_, clients) => {
  // Each in another format, since they have to understand each other.
  const [driverId, dispatcherId] = [unique("driver"), unique("dispatcher")];
  const dispatcher = await clients.inTheOtherFormat().connected(world.session({ role: "dispatcher", sub: dispatcherId }));
  const watch = await Watch.on(dispatcher, ON_DUTY);
  const driver = await clients.connected(world.session({ role: "driver", sub: driverId, jobs: [] }));
  const duty = driver.channels.get(ON_DUTY).presence;

  await duty.enter({ truck: "T-7", free: true });
  assert.deepEqual((await watch.sees(driverId, "enter")).data, { truck: "T-7", free: true });
  assert.deepEqual(await watch.members(driverId), [[driverId, { truck: "T-7", free: true }]]);

  await duty.update({ truck: "T-7", free: false });
  assert.deepEqual((await watch.sees(driverId, "update")).data, { truck: "T-7", free: false });
  assert.deepEqual(await watch.members(driverId), [[driverId, { truck: "T-7", free: false }]]);

  driver.close();
  await watch.sees(driverId, "leave");
  assert.deepEqual(await watch.members(driverId), []);
  assert.deepEqual(watch.of(driverId).map(({ action }) => action), ["enter", "update", "leave"]);
});

inBothFormats(world, "a dispatcher who comes later sees who is on duty", async (_, clients) => {
  const drivers = Array.from({ length: 3 }, () => unique("driver"));
  await Promise.all(
    drivers.map(async (sub, truck) => {
      const driver = await clients.connected(world.session({ role: "driver", sub, jobs: [] }));
      await driver.channels.get(ON_DUTY).presence.enter({ truck });
    }),
  );
  const dispatcher = await clients.inTheOtherFormat().connected(world.session({ role: "dispatcher" }));
  const watch = await Watch.on(dispatcher, ON_DUTY);
  const members = await watch.members(...drivers);
  assert.deepEqual(new Map(members as [string, unknown][]), new Map(drivers.map((sub, truck) => [sub, { truck }])));
});

inBothFormats(world, "a driver on duty sees nobody else, and cannot come on duty as another", async (_, clients) => {
  const [driverId, otherId, dispatcherId] = [unique("driver"), unique("driver"), unique("dispatcher")];
  const dispatcher = await clients.connected(world.session({ role: "dispatcher", sub: dispatcherId }));
  const watch = await Watch.on(dispatcher, ON_DUTY);
  const driver = await clients.connected(world.session({ role: "driver", sub: driverId, jobs: [] }));
  const blind = await Watch.on(driver, ON_DUTY);
  await driver.channels.get(ON_DUTY).presence.enter();

  const other = await clients.connected(world.session({ role: "driver", sub: otherId, jobs: [] }));
  await other.channels.get(ON_DUTY).presence.enter();
  await watch.channel.presence.enter();
  await watch.sees(dispatcherId, "enter");
  await watch.sees(otherId, "enter");
  // What was told before this driver's own next step has arrived when the answer to it has.
  await driver.channels.get(ON_DUTY).presence.update("still here");
  assert.deepEqual([...new Set(blind.seen.map(({ clientId }) => clientId))].filter((id) => id !== driverId), []);
  assert.deepEqual(await blind.members(otherId, dispatcherId), []);
  await refused("members by REST", clients.rest(world.session({ role: "driver", jobs: [] })).channels.get(ON_DUTY).presence.get());

  await assert.rejects(driver.channels.get(ON_DUTY).presence.enterClient(otherId), { code: 40012, statusCode: 400 });
  assert.deepEqual(watch.of(otherId).map(({ action }) => action), ["enter"]);
});

inBothFormats(world, "a driver who has gone from one channel is on duty still, and one who leaves is not", async (_, clients) => {
  const driverId = unique("driver");
  const watch = await Watch.on(await clients.connected(world.session({ role: "admin" })), ON_DUTY);
  const job = unique("job");
  const driver = await clients.connected(world.session({ role: "driver", sub: driverId, jobs: [job] }));
  const jobChannel = driver.channels.get(`dispatch:job:${job}`);
  await jobChannel.attach();
  await driver.channels.get(ON_DUTY).presence.enter();
  await watch.sees(driverId, "enter");
  await jobChannel.detach();
  assert.equal((await watch.members(driverId)).length, 1);
  await driver.channels.get(ON_DUTY).presence.leave("home");
  assert.equal((await watch.sees(driverId, "leave")).data, "home");
  assert.deepEqual(await watch.members(driverId), []);
});
