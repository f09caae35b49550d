// What a client may hear: tokens by name, access that comes and goes, and the session as another user's. Against the local Ably and the service.

import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import type Ably from "ably";
import type { Realtime } from "ably";
import { createTestHarness } from "wrangler";
import { createTowline } from "../../clients/typescript/src/client/index.ts";
import { onTab, shownPage } from "../../clients/typescript/tests/support/platform.ts";
import { WRANGLER } from "../../scripts/dev/service.mjs";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { bundleWorker } from "../../scripts/testing/bundle.mjs";
import { LocalAbly } from "../e2e/support/ably.ts";
import { channelOf } from "../e2e/support/driving.ts";
import { eventually } from "../e2e/support/wait.ts";
import { startWorkerd } from "../e2e/support/workerd.ts";
import { COOKIE, unique, World } from "../e2e/support/world.ts";
import { listens, noting, onChannel, put, sees, tab, tokensOf } from "./support/tab.ts";

const world = await World.forThisFile({}, () => LocalAbly.start(), startWorkerd);
const off = await World.forThisFile({ JOB_REGISTRY: "off" }, () => LocalAbly.start(), startWorkerd);
/** Where the registry alone decides, which needs a rate limit beside the Worker. */
const required = await World.forThisFile({ JOB_REGISTRY: "required" }, () => LocalAbly.start(), async (_, folder, secrets) => {
  Object.assign(process.env, WRANGLER);
  cpSync(join(ROOT, "wrangler.toml"), join(folder, "wrangler.toml"));
  const prebuiltWorkerDir = process.env.WORKER_BUNDLE ?? (await bundleWorker());
  const harness = createTestHarness({ root: folder, workers: [{ configPath: "wrangler.toml", prebuiltWorkerDir, secrets }] });
  after(() => harness.close());
  const { url } = await harness.listen();
  return { url: url.origin, log: [] };
});

suite("access", { concurrency: 4 }, () => {
  test("where the registry alone decides, jobs are asked for by name, beside those that there are", async (t) => {
    const [sub, one, two, foreign] = [unique("customer"), unique("job"), unique("job"), unique("job")];
    for (const job of [one, two]) await put(required, job, { driver: "somebody", customers: [sub] });
    await put(required, foreign, { driver: "somebody", customers: [] });
    const { towline, requests, made } = tab(t, { role: "customer", sub }, required);
    const [first, second, third] = [noting(), noting(), noting()];
    listens(towline, one, first.listener);
    await sees("the first job", first, "attached");
    assert.deepEqual(tokensOf(requests), ["", one]);
    listens(towline, foreign, third.listener);
    await sees("a foreign job", third, "refused");
    listens(towline, two, second.listener);
    await sees("the second job", second, "attached");
    assert.deepEqual(tokensOf(requests).slice(2), [`${one},${foreign}`, `${one},${foreign},${two}`]);
    assert.deepEqual([first.seen, second.seen, third.seen], [["attached"], ["attached"], ["refused"]]);
    assert.equal(made.length, 1);
    // Its owner is let in, and need do nothing about it.
    await put(required, foreign, { driver: "somebody", customers: [sub] });
    await sees("the third job", third, "attached");
    assert.deepEqual([first.seen, second.seen, third.seen], [["attached"], ["attached"], ["refused", "attached"]]);
  });

  test("when one of somebody's jobs ends, all of theirs is revoked, and what goes on is back by itself, soon", async (t) => {
    const [sub, ends, goesOn] = [unique("customer"), unique("job"), unique("job")];
    for (const job of [ends, goesOn]) await put(required, job, { driver: "somebody", customers: [sub] });
    // Left to itself, `ably` would not come within this test.
    const { towline } = tab(t, { role: "customer", sub }, required, {}, { disconnectedRetryTimeout: 600_000 });
    const { seen, listener } = noting();
    listens(towline, goesOn, listener);
    await eventually("the job", () => seen.length === 1 || undefined);
    const headers = { authorization: `Bearer ${required.session({ role: "service" })}` };
    const closed = await fetch(`${required.url}/api/jobs/${ends}/close`, { method: "POST", headers, body: '{"reason": "done"}' });
    assert.equal(closed.status, 200);
    await eventually("the job, cut and back", () => seen.length >= 3 || undefined);
    assert.equal(seen[1], "detached");
    assert.match(seen[2] ?? "", /^attached/);
  });

  test("whoever has only a foreign job to ask for has the rest of their token", async (t) => {
    const { towline, requests, who } = tab(t, { role: "customer" }, required);
    const [foreign, own] = [noting(), noting()];
    listens(towline, unique("job"), foreign.listener);
    towline.channels!.listen(`notifications:user:${who.sub}`, own.listener);
    await sees("a foreign job", foreign, "refused");
    await sees("what is told them", own, "attached");
    assert.equal(towline.connection.get().state, "connected");
    assert.equal(tokensOf(requests).length, 2);
  });

  test("a job that a later session has is there once it is asked for, and no other channel is touched", async (t) => {
    const jobs = [unique("job"), unique("job")];
    const person = { role: "driver" as const, jobs: jobs.slice(0, 1) };
    const { towline, who, made } = tab(t, person, world);
    const [first, second] = [noting(), noting()];
    listens(towline, jobs[0]!, first.listener);
    listens(towline, jobs[1]!, second.listener);
    await sees("the job of a later session", second, "refused");
    await sees("the first job", first, "attached");
    who.jobs = jobs;
    await sees("the second job", second, "attached");
    assert.deepEqual([first.seen, second.seen], [["attached"], ["refused", "attached"]]);
    assert.equal(made.length, 1);
  });

  test("a job behind a gate is refused, and nothing else is", async (t) => {
    const [sub, gated, seen] = [unique("customer"), unique("job"), unique("job")];
    const gate = { customer: { from: new Date(Date.now() + 3_600_000).toISOString() } };
    for (const at of [world, required]) {
      await put(at, gated, { driver: null, customers: [sub], gate });
      await put(at, seen, { driver: null, customers: [sub] });
      const { towline } = tab(t, { role: "customer", sub, jobs: [gated, seen] }, at);
      const [one, other] = [noting(), noting()];
      listens(towline, gated, one.listener);
      listens(towline, seen, other.listener);
      await sees("the gate", one, "refused");
      await sees("the other job", other, "attached");
      assert.deepEqual([one.seen, other.seen], [["refused"], ["attached"]]);
    }
  });

  test("access that ends takes one channel, and leaves the others", async (t) => {
    const [sub, ends, stays] = [unique("customer"), unique("job"), unique("job")];
    for (const job of [ends, stays]) await put(world, job, { driver: null, customers: [sub] });
    const { towline } = tab(t, { role: "customer", sub, jobs: [ends, stays] }, world);
    const [one, other] = [noting(), noting()];
    listens(towline, ends, one.listener);
    listens(towline, stays, other.listener);
    await sees("the job that stays", other, "attached");
    await sees("the job that ends", one, "attached");
    await put(world, ends, { driver: null, customers: [] });
    await sees("the end of access", one, "refused");
    await eventually("the other to be back", () => (other.seen.at(-1)?.startsWith("attached") ? true : undefined));
    assert.ok(other.seen.every((name) => name !== "refused"), other.seen.join());
    assert.equal(await onChannel(world, channelOf(ends)), 0);
    await put(world, ends, { driver: null, customers: [sub] });
    await eventually("access again", () => (one.seen.at(-1) === "attached" ? true : undefined));
    assert.deepEqual(one.seen.filter((name) => name === "attached" || name === "refused"), ["attached", "refused", "attached"]);
  });

  test("who gets no token at all is told, once", async (t) => {
    const { towline, made } = tab(t, { role: "service" }, world);
    const one = noting();
    listens(towline, unique("job"), one.listener);
    await sees("the end", one, "refused");
    assert.deepEqual([towline.connection.get(), towline.isStopped()], [{ state: "offline", reason: "refused" }, false]);
    const late = noting();
    listens(towline, unique("job"), late.listener);
    await sees("who comes later", late, "refused");
    assert.equal(made.length, 1);
    assert.equal((await towline.http({ path: "/api/jobs?state=open" })).is, "ok");
  });

  test("a session that ends under a connection stops the client", async (t) => {
    const { towline, who } = tab(t, { role: "customer", jobs: [unique("job")] }, world);
    const one = noting();
    listens(towline, who.jobs![0]!, one.listener);
    await sees("the channel", one, "attached");
    who.sub = unique("customer");
    assert.deepEqual(await towline.http({ path: "/api/jobs?mine" }), { is: "stopped" });
    assert.deepEqual(towline.connection.get(), { state: "stopped", reason: "another_user" });
    await eventually("nobody to be on the channel", async () => ((await onChannel(world, channelOf(who.jobs![0]!))) === 0 ? true : undefined));
  });

  test("the cookie becomes another user's under a tab: it stops, whatever it asks for next", async (t) => {
    const job = unique("job");
    for (const next of ["looks", "connects"] as const) {
      let cookie = world.session({ role: "customer", sub: "ann", jobs: [job] });
      const shown = shownPage();
      const states: string[] = [];
      const made: Realtime[] = [];
      const towline = createTowline(
        {
          url: world.url,
          cookies: true,
          user: "ann",
          ably: async () => {
            const { Realtime } = await import("ably");
            return {
              Realtime: class extends Realtime {
                constructor(options: Ably.ClientOptions) {
                  super(options);
                  made.push(this);
                }
              },
            };
          },
          ablyOptions: { ...world.ably.address, logLevel: 0 },
        },
        onTab({
          page: shown.page,
          // As a browser does.
          fetch: (url, init = {}) => {
            const headers = new Headers(init.headers);
            headers.set("cookie", `${COOKIE}=${cookie}`);
            return fetch(url, { ...init, headers });
          },
        }),
      );
      t.after(() => towline.close());
      const one = noting();
      const off = listens(towline, job, one.listener);
      await sees("the channel", one, "attached");
      towline.live({ stop: () => void states.push("stop") });
      if (next === "connects") {
        off();
        await eventually("it to be idle", () => (towline.connection.get().state === "idle" ? true : undefined));
      }
      cookie = world.session({ role: "customer", sub: "eve", jobs: [job] });
      if (next === "connects") listens(towline, job, one.listener);
      else {
        shown.hide();
        shown.show();
      }
      await eventually("the end", () => (towline.connection.get().state === "stopped" ? true : undefined));
      assert.deepEqual(towline.connection.get(), { state: "stopped", reason: "another_user" });
      assert.deepEqual(states, ["stop"]);
      await eventually("the connection to close", () => (["closed", "failed"].includes(made.at(-1)!.connection.state) ? true : undefined));
      assert.equal(one.seen.filter((name) => name === "attached").length, 1);
    }
  });

  test("a session that has ended for good stops the client when the next token is asked for", async (t) => {
    const { towline } = tab(t, { role: "customer", jobs: [unique("job")], seconds: -3_600 }, world);
    const one = noting();
    listens(towline, unique("job"), one.listener);
    await eventually("the end", () => (towline.connection.get().state === "stopped" ? true : undefined));
    assert.deepEqual(towline.connection.get(), { state: "stopped", reason: "session_ended" });
  });

  test("whose session it is can be asked by each role, whatever decides who takes part, and costs no job anything", async (t) => {
    const shown = shownPage();
    const asked = new Promise<string>((resolve) => {
      const towline = createTowline({ url: "", cookies: true, user: "ann" }, onTab({ page: shown.page, fetch: async (url) => (resolve(String(url)), new Response()) }));
      t.after(() => towline.close());
      towline.live({});
    });
    shown.hide();
    shown.show();
    const path = await asked;
    for (const at of [world, required, off]) {
      for (const role of ["driver", "dispatcher", "customer", "admin", "service"] as const) {
        const ask = async (user: string) => {
          const headers = { authorization: `Bearer ${at.session({ role, sub: "ann" })}`, "towline-user": user };
          return (await (await fetch(at.url + path, { headers })).json()) as { userId?: string; role?: string; type?: string };
        };
        const { userId, role: told } = await ask("ann");
        assert.deepEqual([userId, told], ["ann", role]);
        assert.match((await ask("eve")).type ?? "", /:session_of_another_user$/);
      }
    }
  });
});
