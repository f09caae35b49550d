// A tab of somebody's, with the real `ably`, against the local Ably and the service.

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { TestContext } from "node:test";
import Ably, { type Realtime } from "ably";
import { type AblyOptions, type ChannelListener, createTowline, type Towline } from "../../../clients/typescript/src/client/index.ts";
import type { Platform } from "../../../clients/typescript/src/client/platform.ts";
import { onTab, shownPage } from "../../../clients/typescript/tests/support/platform.ts";
import { channelOf } from "../../e2e/support/driving.ts";
import { eventually } from "../../e2e/support/wait.ts";
import { type Person, unique, World } from "../../e2e/support/world.ts";

const rest = new Map<World, Ably.Rest>();

/** Registers a job, or changes it. */
export async function put(world: World, job: string, who: { driver: string | null; customers: string[]; gate?: object }) {
  const headers = { authorization: `Bearer ${world.session({ role: "service" })}` };
  const answer = await fetch(`${world.url}/api/jobs/${job}`, { method: "PUT", headers, body: JSON.stringify(who) });
  assert.ok(answer.ok, await answer.text());
}

/** How many connections are on a channel, as Ably itself says. */
export async function onChannel(world: World, channel: string): Promise<number> {
  const asked = rest.get(world) ?? new Ably.Rest({ key: world.ably.key, ...world.ably.address, logLevel: 0 });
  rest.set(world, asked);
  const { status } = await asked.channels.get(channel).status();
  return status.occupancy.metrics.connections;
}

/** The channels that Ably's client knows. */
export const namesOf = ({ channels }: Realtime) => Object.keys((channels as unknown as { all: object }).all);

/** A tab of somebody's, and what of Ably's it has made. */
export function tab(t: TestContext, person: Person, world: World, parts: Partial<Platform> = {}, ably: AblyOptions = {}) {
  const shown = shownPage();
  const made: Realtime[] = [];
  const sub = person.sub ?? unique(person.role);
  const who = { ...person, sub };
  const requests: string[] = [];
  const changes = new EventEmitter();
  class Counted extends Ably.Realtime {
    constructor(options: Ably.ClientOptions) {
      super(options);
      made.push(this);
      const { channels } = this;
      const get = channels.get.bind(channels);
      channels.get = (name, options) => {
        const isNew = !namesOf(this).includes(name);
        const channel = get(name, options);
        if (isNew) channel.on(({ current }) => void changes.emit(name, current));
        return channel;
      };
    }
  }
  const towline = createTowline(
    {
      url: world.url,
      getSession: async () => world.session(who),
      ably: async () => ({ Realtime: Counted }),
      ablyOptions: { ...world.ably.address, logLevel: 0, ...ably },
    },
    onTab({
      page: shown.page,
      fetch: (url, init) => {
        requests.push(String(url).slice(world.url.length));
        return fetch(url, init);
      },
      ...parts,
    }),
  );
  t.after(() => towline.close());
  return { towline, made, shown, who, requests, changes };
}

/** A listener that notes what it is told. */
export function noting() {
  const seen: string[] = [];
  const messages: unknown[] = [];
  const listener: ChannelListener = {
    message: (name, data) => {
      seen.push(name);
      messages.push(data);
    },
    attached: (continuous) => void seen.push(continuous ? "attached on" : "attached"),
    detached: () => void seen.push("detached"),
    refused: () => void seen.push("refused"),
  };
  return { seen, messages, listener };
}

export const listens = (towline: Towline, job: string, listener: ChannelListener) => towline.channels!.listen(channelOf(job), listener, job);
export const sees = (what: string, { seen }: { seen: string[] }, name: string) => eventually(`${what}, after ${seen}`, () => (seen.includes(name) ? true : undefined));

/** How often tokens were asked for, and by which names. */
export const tokensOf = (requests: string[]) => requests.filter((path) => path.startsWith("/api/ably-token")).map((path) => path.split("jobId=")[1] ?? "");
