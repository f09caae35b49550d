// Where the objects are (`OBJECT_JURISDICTION`). workerd by itself has no jurisdictions, so here a namespace that stands for one is made of a
// part of the real one, and nothing of that works but by asking for it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertProblem, assertTaken } from "./support/answers.ts";
import { OPERATIONS, inboxOf, refused } from "./support/fake-ably.ts";
import { Service, as, driverOf, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const FIX = { lat: 1, lng: 2 };

/** Bindings whose objects are all in jurisdictions: outside of them nothing is found. */
const located = (entry: string) => {
  const exported = (name: string) => new RegExp(`export \\{[^}]*?(\\w+) as ${name}\\b`).exec(entry)?.[1] ?? name;
  return `${entry}
const real = (namespace) => namespace.real ?? namespace;
const inside = (namespace, where) => ({
  idFromName: (name) => real(namespace).idFromName(where + "/" + name),
  idFromString: (id) => real(namespace).idFromString(id),
  get: (id) => real(namespace).get(id),
});
const nowhere = () => { throw new Error("outside of every jurisdiction"); };
const bound = (namespace) => ({ real: real(namespace), jurisdiction: (where) => inside(namespace, where), idFromName: nowhere, idFromString: nowhere, get: nowhere });
const all = (env) => ({ ...env, JOBS: bound(env.JOBS), OPERATIONS: bound(env.OPERATIONS), PUBLISHERS: bound(env.PUBLISHERS), INDEXES: bound(env.INDEXES), INBOXES: bound(env.INBOXES) });
const plainJob = ${exported("Job")};
const LocatedJob = class extends plainJob { constructor(state, env) { super(state, all(env)); } };
const plainInbox = ${exported("Inbox")};
const LocatedInbox = class extends plainInbox { constructor(state, env) { super(state, all(env)); } };
const plainFetch = ${exported("default")}.fetch;
${exported("default")}.fetch = (request, env) => plainFetch(request, all(env));
`.replace(/export \{([^}]*)\}/, (_, names: string) => `export {${names.replace(/\w+ as Job\b|\bJob\b/, "LocatedJob as Job").replace(/\w+ as Inbox\b|\bInbox\b/, "LocatedInbox as Inbox")}}`);
};

test("every object is asked for in its jurisdiction: jobs, by name and by reference, publishers, lists, users, and the one that tells operators", async () => {
  const settings = { OBJECT_JURISDICTION: "eu", ABLY_PUBLISHING: "batched", ABLY_PUBLISHERS: "1" };
  const service = await Service.start(settings, undefined, located);
  try {
    const id = newJob();
    assert.equal(assertTaken(await service.post(id, FIX), id)[0].seq, 1);
    await service.ably.arrived(id, 1);
    assert.equal((await service.state(id)).json.seq, 1);
    assert.equal((await service.send("GET", "/api/ably-token", { headers: driverOf(id) })).status, 200);
    const reference = await service.reference(`eu/${id}`);
    const { json } = await service.send("GET", `/api/jobs/${id}/outbox`, { headers: as("admin") });
    assert.equal(json.ref, reference);
    assert.equal((await service.send("GET", `/api/refs/${reference}`, { headers: as("admin") })).json.jobId, id);
    // And a list hears of a job, and tells it.
    const registered = newJob();
    const body = JSON.stringify({ driver: null, customers: [], dispatchId: registered });
    assert.equal((await service.send("PUT", `/api/jobs/${registered}`, { headers: as("service"), body })).status, 201);
    await until("it to be listed", async () => {
      const { json } = await service.send("GET", `/api/jobs?dispatchId=${registered}`, { headers: as("service") });
      return json.jobs.length === 1;
    });
    // And a user hears, of a job and of the platform.
    const told = JSON.stringify({ driver: registered, customers: [] });
    assert.equal((await service.send("PUT", `/api/jobs/${registered}`, { headers: as("service"), body: told })).status, 200);
    await service.ably.arrived(inboxOf(registered), 1);
    const notification = JSON.stringify({ id: "a", type: "t", entityId: "e", version: 1 });
    assert.equal((await service.send("POST", `/api/users/${registered}/notifications`, { headers: as("service"), body: notification })).status, 202);
    await service.ably.arrived(inboxOf(registered), 2);
    // What operators hear comes by way of their object.
    service.ably.plan(id, refused(400, 40000));
    await service.post(id, FIX);
    await service.ably.arrived(OPERATIONS, 1);
    assert.deepEqual(await service.sql(id, "SELECT name FROM sqlite_master WHERE name NOT GLOB '_*'"), [], "there is nothing elsewhere");
  } finally {
    await service.stop();
  }
});

test("where the runtime has no such jurisdiction, or nobody has, the service is misconfigured and says which setting it is", async () => {
  for (const value of ["eu", "fedramp", "mars"]) {
    const service = await Service.start({ OBJECT_JURISDICTION: value });
    try {
      for (let count = 0; count < 2; count += 1) assertProblem(await service.state("a"), 503, "misconfigured");
      assert.equal((await service.send("GET", "/healthz")).status, 200);
      const lines = () => service.logs().filter(({ text }) => text.includes('"variable":"OBJECT_JURISDICTION"'));
      await until("the log to say so", () => lines().length > 0);
      assert.equal(lines().length, 1, "once, and not with each request");
      assert.deepEqual(await service.objects(), []);
    } finally {
      await service.stop();
    }
  }
});
