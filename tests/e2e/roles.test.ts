// What each role can do with its token, on every kind of channel, and that all else is refused: by Ably, to the real client.

import assert from "node:assert/strict";
import type { ChannelMode, ErrorInfo, RealtimeChannel } from "ably";
import { type Clients, inBothFormats, reaches, refused, WAYS } from "./support/clients.ts";
import { channelOf } from "./support/driving.ts";
import { within } from "./support/wait.ts";
import { type Role, unique, World } from "./support/world.ts";

const world = await World.forThisFile();

const OPERATIONS = ["subscribe", "publish", "enter", "members", "publish by REST", "history by REST", "members by REST"] as const;
type Operation = (typeof OPERATIONS)[number];

/** Who may listen may also look who is there. */
const LISTEN: Operation[] = ["subscribe", "members", "members by REST"];
const LISTEN_AND_ENTER: Operation[] = [...LISTEN, "enter"];

const CHANNELS = [
  "own job",
  "other job",
  "below own job",
  "own notifications",
  "others' notifications",
  "on duty",
  "on duty somewhere",
  "admin",
  "unknown",
] as const;
type Kind = (typeof CHANNELS)[number];

const DISPATCHER: Partial<Record<Kind, Operation[]>> = {
  "own job": LISTEN,
  "other job": LISTEN,
  "below own job": LISTEN,
  "own notifications": LISTEN,
  "on duty": LISTEN_AND_ENTER,
  "on duty somewhere": LISTEN_AND_ENTER,
};

/** All that each role may do. It is written out here and not read from policy.toml, so that the two have to agree. */
const ALLOWED: Record<Exclude<Role, "service">, Partial<Record<Kind, Operation[]>>> = {
  driver: { "own job": LISTEN, "own notifications": LISTEN, "on duty": ["enter"] },
  customer: { "own job": LISTEN, "own notifications": LISTEN },
  dispatcher: DISPATCHER,
  admin: { ...DISPATCHER, admin: LISTEN },
};

for (const role of ["driver", "customer", "dispatcher", "admin"] as const) {
  inBothFormats(world, `as ${role}: what the policy says on each channel is allowed, and nothing else`, async (_, clients) => {
    const sub = unique(role);
    const job = unique("job");
    const session = world.session({ role, sub, jobs: [job] });
    const client = await clients.connected(session);
    const rest = clients.rest(session);
    const names: Record<Kind, string> = {
      "own job": channelOf(job),
      "other job": channelOf(unique("job")),
      "below own job": `${channelOf(job)}:more`,
      "own notifications": `notifications:user:${sub}`,
      "others' notifications": `notifications:user:${unique("user")}`,
      "on duty": "presence:dispatch",
      "on duty somewhere": `presence:dispatch:${unique("dispatch")}`,
      admin: "admin:ops",
      unknown: unique("elsewhere"),
    };

    /** One operation on a channel that is attached anew, with the modes that the operation needs. */
    const onChannel = async (name: string, modes: ChannelMode[] | undefined, act: (channel: RealtimeChannel) => Promise<unknown>) => {
      const channel = client.channels.get(name, modes && { modes });
      try {
        await act(channel);
      } finally {
        if (channel.state === "attached") await channel.detach();
        client.channels.release(name);
      }
    };
    const attempt: Record<Operation, (name: string) => Promise<unknown>> = {
      subscribe: (name) => onChannel(name, ["SUBSCRIBE"], (channel) => receives(clients, channel)),
      publish: (name) => onChannel(name, undefined, (channel) => channel.publish("spoof", {})),
      enter: (name) =>
        onChannel(name, undefined, async (channel) => {
          await channel.attach();
          await channel.presence.enter();
        }),
      members: (name) =>
        onChannel(name, ["PRESENCE_SUBSCRIBE"], async (channel) => {
          await channel.attach();
          await channel.presence.get();
        }),
      "publish by REST": (name) => rest.channels.get(name).publish("spoof", {}),
      "history by REST": (name) => rest.channels.get(name).history(),
      "members by REST": (name) => rest.channels.get(name).presence.get(),
    };

    await Promise.all(
      CHANNELS.map(async (kind) => {
        for (const operation of OPERATIONS) {
          const what = `${operation} on ${kind} (${names[kind]}) as ${role}`;
          const outcome = attempt[operation](names[kind]);
          if (ALLOWED[role][kind]?.includes(operation)) {
            await within(what, outcome.catch((error: ErrorInfo) => assert.fail(`${what} is refused: ${error.code} ${error.message}`)));
          } else {
            await refused(what, outcome);
          }
        }
      }),
    );
    assert.equal(client.connection.state, "connected", "a refusal costs the operation, not the connection");
  });

  inBothFormats(world, `as ${role}: a client connects by ${WAYS.join(", by ")}`, async (_, clients) => {
    for (const way of WAYS) {
      const sub = unique(role);
      const job = unique("job");
      const client = await clients.connected(world.session({ role, sub, jobs: [job] }), way);
      assert.equal(client.auth.clientId, sub, way);
      await client.channels.get(channelOf(job)).attach();
      await refused(`publish as ${role}, by ${way}`, client.channels.get(channelOf(job)).publish("spoof", {}));
    }
  });
}

for (const way of ["a header", "POST and a header"] as const) {
  inBothFormats(world, `a token for one of a driver's jobs leaves out the others, asked for by ${way}`, async (_, clients) => {
    const [sub, job, otherJob] = [unique("driver"), unique("job"), unique("job")];
    const session = world.session({ role: "driver", sub, jobs: [job, otherJob] });
    const narrow = await clients.connected(session, way, { authParams: { jobId: job } });
    await receives(clients, narrow.channels.get(channelOf(job)));
    await receives(clients, narrow.channels.get(`notifications:user:${sub}`));
    await refused("the other job", narrow.channels.get(channelOf(otherJob)).attach());

    const wide = await clients.connected(session, way);
    await Promise.all([job, otherJob].map((id) => receives(clients, wide.channels.get(channelOf(id)))));
  });

  inBothFormats(world, `a dispatcher's token for one job leaves out all others, asked for by ${way}`, async (_, clients) => {
    const job = unique("job");
    const client = await clients.connected(world.session({ role: "dispatcher" }), way, { authParams: { jobId: job } });
    await receives(clients, client.channels.get(channelOf(job)));
    await refused("another job", client.channels.get(channelOf(unique("job"))).attach());
    await client.channels.get("presence:dispatch").presence.enter();
  });

  inBothFormats(world, `nobody gets a token for a job of others, asked for by ${way}`, async (_, clients) => {
    for (const role of ["driver", "customer"] as const) {
      const session = world.session({ role, jobs: [unique("job")] });
      await isRefusedAToken(clients, session, way, { authParams: { jobId: unique("job") } }, 40160);
    }
  });

  inBothFormats(world, `the back end gets no token, and nobody one of another user, asked for by ${way}`, async (_, clients) => {
    await isRefusedAToken(clients, world.session({ role: "service" }), way, {}, 40160);
    await isRefusedAToken(clients, world.session({ role: "admin" }), way, { clientId: unique("user") }, 40102);
  });
}

/** That a client connects to nothing, and knows that it never will: 403, and no retry. */
async function isRefusedAToken(clients: Clients, session: string, way: (typeof WAYS)[number], more: object, code: number) {
  const client = clients.realtime(clients.options(session, way, more));
  await assert.rejects(reaches(client, "connected"), /the connection failed/);
  const { errorReason } = client.connection;
  // The SDK wraps what it is told in an error of its own, but for another `clientId`.
  const told = errorReason?.code === 80019 ? (errorReason.cause as ErrorInfo) : errorReason;
  assert.deepEqual([errorReason?.statusCode, told?.code, told?.statusCode], [403, code, 403]);
}

/** That what is published on a channel reaches a subscriber. */
async function receives(clients: Clients, channel: RealtimeChannel) {
  const name = unique("event");
  const { promise: received, resolve: heard } = Promise.withResolvers<unknown>();
  await channel.subscribe(name, (message) => heard(message.data));
  await clients.withKey().channels.get(channel.name).publish(name, { of: channel.name });
  assert.deepEqual(await within(`a message on ${channel.name}`, received), { of: channel.name });
  channel.unsubscribe();
}
