// Pages that watch jobs of the service, by Ably or by streams, and what a platform does to those jobs meanwhile.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import Ably from "ably";
import { EventSource } from "eventsource";
import { createTowline, type JobSnapshot, type Store, type TowlineOptions, watchJob } from "../../../clients/typescript/src/index.ts";
import { onTab, shownPage } from "../../../clients/typescript/tests/support/platform.ts";
import { eventually } from "../../e2e/support/wait.ts";
import { type Person, unique, type World } from "../../e2e/support/world.ts";

/** Somebody's tab. `session` brings another than the one session of an hour; `url` is where it finds the service. */
export function tab(t: TestContext, world: World, mode: "ably" | "stream", person: Person, { session, url = world.url, address = {} }: { session?: () => string; url?: string; address?: object } = {}) {
  const { page, fire, hide, show } = shownPage();
  const whole = world.session({ sub: unique(person.role), ...person });
  const options: TowlineOptions = { url, getSession: async () => session?.() ?? whole, eventSource: (url, { fetch }) => new EventSource(url, { fetch }) };
  if (mode === "ably") Object.assign(options, { ably: async () => Ably, ablyOptions: { ...world.ably.address, ...address, logLevel: 0 } });
  const towline = createTowline(options, onTab({ page }));
  t.after(() => towline.close());
  return { towline, fire, hide, show };
}

/** A store that somebody looks at: all that it has shown, and a wait for something of it. */
export function watched<T>(t: TestContext, store: Store<T>) {
  const seen = [store.get()];
  t.after(store.subscribe(() => void seen.push(store.get())));
  const shows = (what: string, holds: (value: T) => boolean, bound?: number) => eventually(what, () => (holds(store.get()) ? store.get() : undefined), bound);
  return { store, seen, shows };
}

/** That no position was shown that is older than one before. */
export function assertForward(seen: readonly JobSnapshot[]) {
  const places = seen.flatMap(({ position }) => (position ? [[position.epoch, position.seq] as const] : []));
  for (const [index, [epoch, seq]] of places.entries()) {
    const [epochBefore, seqBefore] = places[index - 1] ?? [0, 0];
    assert.ok(epoch > epochBefore || (epoch === epochBefore && seq >= seqBefore), `${epoch}.${seq} after ${epochBefore}.${seqBefore}`);
  }
}

/** A page of somebody's that shows a job. */
export function jobPage(t: TestContext, world: World, mode: "ably" | "stream", job: string, person: Person, more?: Parameters<typeof tab>[4]) {
  const page = tab(t, world, mode, { jobs: [job], ...person }, more);
  return { ...page, ...watched(t, watchJob(page.towline, job)) };
}

/** What a platform's back end does to a job. */
export function platform(world: World) {
  const send = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`${world.url}/api/${path}`, {
      method,
      headers: { authorization: `Bearer ${world.session({ role: "service" })}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    assert.ok(answer.ok, `${method}: ${answer.status} ${await answer.text()}`);
  };
  return {
    put: (job: string, body: object) => send("PUT", `jobs/${job}`, { driver: null, customers: [], ...body }),
    close: (job: string) => send("POST", `jobs/${job}/close`, { reason: "done" }),
    notify: (user: string, body: object) => send("POST", `users/${user}/notifications`, body),
  };
}
